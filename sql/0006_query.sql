-- What match_fonts_hybrid makes of its arguments: a query with legs and weights. Everything here and in the next files
-- runs as the caller, on rows that the caller may see.

set local search_path = public, extensions;

create type font_index.search_query as (
  -- shares of the legs in the score; one that is null has none, and together they are 1
  text_weight float,
  vl_weight float,
  words_weight float,
  -- (similarity - zero) / unit is what the weights of a convex fusion multiply
  text_zero float,
  text_unit float,
  vl_zero float,
  vl_unit float,
  fusion text,
  normalization text,
  rank_limit int,  -- rrf: how far a leg's ranks count
  rrf_k int,
  words tsquery,  -- what the app calls full text
  vl halfvec,
  text vector
);
comment on type font_index.search_query is 'What match_fonts_hybrid has understood of its arguments.';

create type font_index.scored_font as (
  id uuid,
  text_similarity float,
  vl_similarity float,
  words_similarity float
);
comment on type font_index.scored_font is
  'A font and its similarity to a query on each leg: cosines, and ts_rank for the words; null where the font, or the query, lacks the leg.';

create type font_index.proposal as (
  fonts font_index.scored_font[],
  exactness text
);
comment on type font_index.proposal is
  'The fonts that are ranked, and how sure it is that no other belongs among the best of them: see match_fonts_hybrid.';

create function font_index.any_word(query_text text)
returns tsquery
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select string_agg('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''', ' | ' order by lexeme)::tsquery
    from (select lexeme from unnest(to_tsvector('english', query_text)) order by positions[1], lexeme limit 16) w
$$;
comment on function font_index.any_word is
  'A query that any of the words answers: descriptions of a look rarely hold all of them. Of the first 16 different ones, for each is looked up in each font. Null where there is none.';

create function font_index.check_search(
  query_embedding vector,
  query_embedding_vl halfvec,
  match_threshold float,
  match_count int,
  match_offset int,
  query_text text,
  alpha float,
  full_text_weight float,
  candidates int,
  rrf_k int,
  fusion text,
  normalization text,
  strategy text,
  is_owner boolean
)
returns void
language plpgsql immutable
set search_path = extensions, public, pg_temp
as $$
declare
  -- what a visitor may ask for costs at most about twice an ordinary rrf call
  deepest_offset constant int := case when is_owner then 2000 else 400 end;
  most_candidates constant int := case when is_owner then 10000 else 400 end;
  problem record;
begin
  for problem in
    select * from (values
      ('match_count', match_count::text, match_count between 1 and 200, 'between 1 and 200',
        'Page through more with match_offset.'),
      ('match_offset', match_offset::text, match_offset between 0 and deepest_offset, 'between 0 and ' || deepest_offset,
        'Narrow the search with filter instead.'),
      ('match_threshold', match_threshold::text, coalesce(match_threshold, 0) <> 'NaN', 'a number or null',
        'Null returns the best fonts, however far they are.'),
      ('query_text', length(query_text) || ' characters', coalesce(length(query_text), 0) <= 1000,
        'at most 1000 characters', 'Say it in a sentence or two.'),
      ('alpha', alpha::text, alpha between 0 and 1, 'between 0 and 1',
        '1 ranks by text alone, 0 by appearance alone.'),
      ('full_text_weight', full_text_weight::text, full_text_weight between 0 and 1, 'between 0 and 1',
        'It is the share of the words; alpha divides the rest.'),
      ('candidates', candidates::text, coalesce(candidates, 1) between 1 and most_candidates,
        'between 1 and ' || most_candidates, 'It is how many fonts the index may propose; for rrf, how far ranks count.'),
      ('rrf_k', rrf_k::text, rrf_k between 1 and 10000, 'between 1 and 10000', '60 is usual.'),
      ('fusion', fusion, fusion in ('convex', 'rrf'), 'convex or rrf',
        'convex weighs similarities, rrf ranks.'),
      ('normalization', normalization, normalization in ('raw', 'min_max', 'z_score'),
        'raw, min_max or z_score', 'raw leaves similarities as they are.'),
      ('strategy', strategy, strategy in ('auto', 'exact', 'index'), 'auto, exact or index',
        'auto is right unless you measure.')
    ) as argument (name, given, allowed, needed, hint) where allowed is not true limit 1
  loop
    raise exception '% must be %, not %', problem.name, problem.needed, coalesce(left(problem.given, 100), 'null')
      using errcode = '22023', hint = problem.hint;
  end loop;
  -- a function's arguments lose their dimension, so it is checked here
  if vector_dims(query_embedding) <> 4096 or vector_dims(query_embedding_vl) <> 4096 then
    raise exception 'a query vector has the wrong dimension: 4096 is needed'
      using errcode = '22023', hint = 'Pad shorter vectors with zeros; that leaves their cosines unchanged.';
  end if;
  if 'NaN' in (query_embedding <=> query_embedding, query_embedding_vl <=> query_embedding_vl) then
    raise exception 'a query vector is all zeros, or too long or short to have a direction'
      using errcode = '22023', hint = 'Scale it to length 1; pass null for a leg that is not available.';
  end if;
end
$$;
comment on function font_index.check_search is
  'Raises SQLSTATE 22023, with a hint, for an argument of match_fonts_hybrid that is out of bounds.';

create function font_index.leg_scale(normalization text, sample float[], out zero float, out unit float)
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(case normalization when 'min_max' then min(s) when 'z_score' then avg(s) end, 0),
         coalesce(nullif(
           case normalization when 'min_max' then max(s) - min(s) when 'z_score' then stddev(s) end, 0), 1)
    from unnest(sample) s
$$;
comment on function font_index.leg_scale is
  'Where the cosines of a leg begin and how far they reach, by a sample of them: (similarity - zero) / unit compares two legs. raw leaves them as they are.';

create function font_index.weigh(
  query_embedding vector,
  query_embedding_vl halfvec,
  query_text text,
  alpha float,
  full_text_weight float,
  fusion text,
  normalization text,
  rank_limit int,
  rrf_k int,
  out query font_index.search_query
)
language plpgsql stable
set search_path = extensions, public, pg_temp
as $$
declare
  sampled constant int := 200;
begin
  query.text := query_embedding;
  query.vl := query_embedding_vl;
  query.words := font_index.any_word(query_text);
  if num_nonnulls(query.text, query.vl, query.words) = 0 then
    raise exception 'match_fonts_hybrid needs query_embedding, query_embedding_vl or query_text with words in it'
      using errcode = '22023', hint = 'Embed the query first; pass null for a leg that is not available.';
  end if;
  query.fusion := fusion;
  query.normalization := normalization;
  query.rank_limit := rank_limit;
  query.rrf_k := rrf_k;
  -- rounded, because a product with the smallest of numbers is an error
  query.words_weight := case
    when query.words is null then 0
    when num_nonnulls(query.text, query.vl) = 0 then 1
    else round(full_text_weight::numeric, 9)
  end;
  query.text_weight := (1 - query.words_weight) * case
    when query.text is null then 0
    when query.vl is null then 1
    else round(alpha::numeric, 9)
  end;
  query.vl_weight := 1 - query.words_weight - query.text_weight;
  query.text_zero := 0;
  query.text_unit := 1;
  query.vl_zero := 0;
  query.vl_unit := 1;
  if fusion = 'convex' and normalization <> 'raw' then
    -- by the same fonts for every query, whatever is proposed or filtered: ids are random
    select zero, unit into query.text_zero, query.text_unit from font_index.leg_scale(normalization, array(
      select nullif(1 - (f.embedding <=> query.text), 'NaN') from public.fonts f
       where f.embedding is not null order by f.id limit sampled));
    select zero, unit into query.vl_zero, query.vl_unit from font_index.leg_scale(normalization, array(
      select nullif(1 - (f.embedding_vl <=> query.vl), 'NaN') from public.fonts f
       where f.embedding_vl is not null order by f.id limit sampled));
  end if;
end
$$;
comment on function font_index.weigh is
  'The legs of a query and their weights. Raises SQLSTATE 22023 where there is no leg.';

create function font_index.joint_direction(
  query font_index.search_query,
  text_weight float,
  vl_weight float
)
returns halfvec
language plpgsql immutable
set search_path = extensions, public, pg_temp
as $$
declare
  absent constant vector := array_fill(0, array[1024]);
  -- the heavier leg at length 1
  heaviest constant float := greatest(text_weight, vl_weight);
  text_part constant numeric := round((text_weight / heaviest)::numeric, 6);
  vl_part constant numeric := round((vl_weight / heaviest)::numeric, 6);
begin
  return (
    coalesce(array_fill(text_part::real, array[1024])::vector
               * l2_normalize(subvector(query.text, 1, 1024))::halfvec::vector, absent)
    || coalesce(array_fill(vl_part::real, array[1024])::vector
               * l2_normalize(subvector(query.vl, 1, 1024))::vector, absent)
    -- a font that lacks a leg counts as much there as one at its zero
    || array[round((text_weight / heaviest * query.text_zero)::numeric, 6),
             round((vl_weight / heaviest * query.vl_zero)::numeric, 6)]::vector
  )::halfvec;
end
$$;
comment on function font_index.joint_direction is
  'The direction in which fonts.embedding_joint lies of the fonts with the best weighted sum: the mirror of set_embedding_joint.';
