-- Fonts by what is said about them, by what they look like and by words, fused per query.

set local search_path = public, extensions;

-- Only a session that has loaded pgvector lets others than superusers name its settings in a function.
do $$ begin perform '[1]'::vector; end $$;

create function public.match_fonts_hybrid(
  query_embedding vector(4096),
  query_embedding_vl halfvec(4096),
  match_threshold float,
  match_count int,
  query_text text default null,
  alpha float default 0.5,
  fusion text default 'convex',
  candidates int default 1000,
  filter jsonb default null,
  match_offset int default 0,
  full_text_weight float default 0.2,
  normalization text default 'raw',
  rrf_k int default 60,
  strategy text default 'auto'
)
returns table (
  id uuid,
  name text,
  category text,
  description text,
  tags text[],
  source text,
  files jsonb,
  score float,
  text_similarity float,
  text_rank bigint,
  vl_similarity float,
  vl_rank bigint,
  full_text_similarity float,
  full_text_rank bigint,
  exactness text
)
language plpgsql stable security invoker
set search_path = extensions, public, pg_temp
set statement_timeout = '3s'
-- The planner counts neither reads from TOAST nor the cost of a distance, so it would sort the whole table
-- where an index is fifty times faster. All settings are restored when the function returns.
set enable_seqscan = off
set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
-- HNSW gives as many rows as are asked for, not ef_search of them
set hnsw.ef_search = 100
set hnsw.iterative_scan = 'relaxed_order'
set hnsw.max_scan_tuples = 100000
set hnsw.scan_mem_multiplier = 4
as $$
-- the names of the answer's columns are also columns of the table
#variable_conflict use_column
declare
  condition constant text := font_index.filter_condition(filter);
  -- Up to so many fonts, scoring each is about as fast as asking the index, and exact; with a filter more, for the
  -- index visits many fonts for one that passes (python -m eval bench search).
  scanned_up_to constant int := case when coalesce(filter, '{}') - 'exclude' = '{}' then 1000 else 3000 end;
  sampled constant int := 200;

  propose constant text := 'select array(select f.id from public.fonts f where %s limit %L)';
  matching constant text := ' and f.fts @@ $1';
  by_words constant text := ' order by ts_rank(f.fts, $1) desc, f.id';
  by_direction constant text := ' order by f.embedding_joint <=> $1';

  words tsquery;
  text_weight float;
  vl_weight float;
  words_weight float;
  -- (similarity - zero) / unit is what the weights of a convex fusion multiply
  text_zero float := 0;
  text_unit float := 1;
  vl_zero float := 0;
  vl_unit float := 1;

  scanning boolean;
  statement text;
  leg_weights float[];
  heaviest float;
  absent constant vector := array_fill(0, array[1024]);
  direction halfvec;
  horizon int := 20;
  depth int;  -- fonts that are proposed
  deepest int;
  proposed uuid[];
  edge uuid[];  -- the second half of the fonts that the index proposed
  proposed_by_words uuid[];
  pool uuid[];  -- the fonts that are scored
  problem record;
begin
  select * into problem from (values
    ('match_count', match_count::text, match_count between 1 and 200, 'between 1 and 200',
      'Page through more with match_offset.'),
    ('match_offset', match_offset::text, match_offset between 0 and 2000, 'between 0 and 2000',
      'Narrow the search with filter instead.'),
    ('match_threshold', match_threshold::text, coalesce(match_threshold, 0) <> 'NaN', 'a number or null',
      'Null returns the best fonts, however far they are.'),
    ('query_text', length(query_text) || ' characters', coalesce(length(query_text), 0) <= 1000,
      'at most 1000 characters', 'Say it in a sentence or two.'),
    ('alpha', alpha::text, alpha between 0 and 1, 'between 0 and 1',
      '1 ranks by text alone, 0 by appearance alone.'),
    ('full_text_weight', full_text_weight::text, full_text_weight between 0 and 1, 'between 0 and 1',
      'It is the share of the words; alpha divides the rest.'),
    ('candidates', candidates::text, candidates between 1 and 10000, 'between 1 and 10000',
      'It is how many fonts each leg proposes at most.'),
    ('rrf_k', rrf_k::text, rrf_k between 1 and 10000, 'between 1 and 10000', '60 is usual.'),
    ('fusion', fusion, fusion in ('convex', 'rrf'), 'convex or rrf', 'convex weighs similarities, rrf ranks.'),
    ('normalization', normalization, normalization in ('raw', 'min_max', 'z_score'),
      'raw, min_max or z_score', 'raw leaves similarities as they are.'),
    ('strategy', strategy, strategy in ('auto', 'exact', 'index'), 'auto, exact or index', 'auto is right unless you measure.')
  ) as argument (name, given, allowed, needed, hint) where allowed is not true;
  if found then
    raise exception '% must be %, not %', problem.name, problem.needed, coalesce(problem.given, 'null')
      using errcode = '22023', hint = problem.hint;
  end if;
  -- a function's arguments lose their dimension, so it is checked here
  if vector_dims(query_embedding) <> 4096 or vector_dims(query_embedding_vl) <> 4096 then
    raise exception 'a query vector has the wrong dimension: 4096 is needed'
      using errcode = '22023', hint = 'Pad shorter vectors with zeros; that leaves their cosines unchanged.';
  end if;
  if 'NaN' in (query_embedding <=> query_embedding, query_embedding_vl <=> query_embedding_vl) then
    raise exception 'a query vector is all zeros, or too long or short to have a direction'
      using errcode = '22023', hint = 'Scale it to length 1; pass null for a leg that is not available.';
  end if;
  -- Any of the words may match: descriptions of a look rarely hold all of them.
  select string_agg('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''', ' | ')::tsquery
    into words
    from unnest(to_tsvector('english', query_text));
  if query_embedding is null and query_embedding_vl is null and words is null then
    raise exception 'match_fonts_hybrid needs query_embedding, query_embedding_vl or query_text with words in it'
      using errcode = '22023', hint = 'Embed the query first; pass null for a leg that is not available.';
  end if;

  -- A leg that is null takes no weight. Rounded, because a product with the smallest of numbers is an error.
  words_weight := case
    when words is null then 0
    when query_embedding is null and query_embedding_vl is null then 1
    else round(full_text_weight::numeric, 9)
  end;
  text_weight := (1 - words_weight) * case
    when query_embedding is null then 0
    when query_embedding_vl is null then 1
    else round(alpha::numeric, 9)
  end;
  vl_weight := 1 - words_weight - text_weight;

  -- Answers that end within the first 20, 40, 80, … fonts come from the same candidates: pages are parts of one list.
  while horizon < match_offset + match_count loop
    horizon := 2 * horizon;
  end loop;
  deepest := greatest(candidates, match_offset + match_count);
  depth := case fusion when 'rrf' then deepest else least(deepest, 4 * horizon) end;

  -- Zero and unit of a leg for this query, by the same fonts whatever is proposed or filtered: ids are random.
  if fusion = 'convex' and normalization <> 'raw' then
    select case normalization when 'z_score' then avg(s.cosine) else min(s.cosine) end,
           case normalization when 'z_score' then stddev(s.cosine) else max(s.cosine) - min(s.cosine) end
      into text_zero, text_unit
      from (select nullif(1 - (f.embedding <=> query_embedding), 'NaN') as cosine
              from public.fonts f where f.embedding is not null order by f.id limit sampled) s;
    select case normalization when 'z_score' then avg(s.cosine) else min(s.cosine) end,
           case normalization when 'z_score' then stddev(s.cosine) else max(s.cosine) - min(s.cosine) end
      into vl_zero, vl_unit
      from (select nullif(1 - (f.embedding_vl <=> query_embedding_vl), 'NaN') as cosine
              from public.fonts f where f.embedding_vl is not null order by f.id limit sampled) s;
    text_unit := coalesce(nullif(text_unit, 0), 1);
    vl_unit := coalesce(nullif(vl_unit, 0), 1);
  end if;

  -- Which fonts are scored: all that pass the filter where they are few, else what the index and the words propose.
  scanning := strategy = 'exact' or words_weight = 1
    or coalesce('NaN' in (subvector(query_embedding, 1, 1024) <=> subvector(query_embedding, 1, 1024),
                          subvector(query_embedding_vl, 1, 1024) <=> subvector(query_embedding_vl, 1, 1024)), false);
  if strategy = 'auto' and not scanning then
    execute format(propose, condition, scanned_up_to + 1) into pool;
    scanning := cardinality(pool) <= scanned_up_to;
    if not scanning then
      pool := null;  -- only some of them
    end if;
  end if;
  if not scanning and not exists (
    select from pg_index i where i.indexrelid = to_regclass('public.fonts_embedding_joint_hnsw') and i.indisvalid
  ) then
    if strategy = 'index' then
      raise exception 'the index fonts_embedding_joint_hnsw is not there, or not valid'
        using errcode = '55000', hint = 'Run: indexer migrate';
    end if;
    scanning := true;
  end if;

  loop
    if not scanning then
      perform set_config('hnsw.ef_search', least(2 * depth, 1000)::text, true);
      pool := '{}';
      -- convex: the nearest by the weighted sum; rrf: the nearest of each leg
      foreach leg_weights slice 1 in array case fusion
        when 'rrf' then array[[text_weight, 0, 0, 0], [0, vl_weight, 0, 0]]
        -- a font that lacks a leg counts as much there as one at its zero
        else array[[text_weight / text_unit, vl_weight / vl_unit,
                    text_weight / text_unit * text_zero, vl_weight / vl_unit * vl_zero]]
      end
      loop
        continue when 0 = all (leg_weights[1:2]);
        -- the heavier leg at length 1
        heaviest := greatest(leg_weights[1], leg_weights[2]);
        direction := (
          coalesce(array_fill(round((leg_weights[1] / heaviest)::numeric, 6)::real, array[1024])::vector
                     * l2_normalize(subvector(query_embedding, 1, 1024))::halfvec::vector, absent)
          || coalesce(array_fill(round((leg_weights[2] / heaviest)::numeric, 6)::real, array[1024])::vector
                     * l2_normalize(subvector(query_embedding_vl, 1, 1024))::vector, absent)
          || array[round((leg_weights[3] / heaviest)::numeric, 6), round((leg_weights[4] / heaviest)::numeric, 6)]::vector
        )::halfvec;
        statement := format(propose, condition || by_direction, depth);
        raise debug '%', statement;  -- for EXPLAIN: what a function runs, it does not show
        execute statement into proposed using direction;
        -- the index gave up before it had enough, or there are fewer vectors than that: rather slow than wrong
        scanning := scanning or cardinality(proposed) < depth;
        pool := pool || proposed;
      end loop;
      edge := proposed[cardinality(proposed) / 2 + 1:];
      if words_weight > 0 then
        statement := format(propose, condition || matching || by_words, depth);
        raise debug '%', statement;
        execute statement into proposed_by_words using words;
        pool := pool || proposed_by_words;
      end if;
      if scanning then
        pool := null;
      end if;
    end if;
    if pool is null then
      statement := format(propose, condition || case
        when query_embedding is null and query_embedding_vl is null then matching else '' end, null);
      raise debug '%', statement;
      execute statement into pool using words;
    end if;

    for id, name, category, description, tags, source, files, score, text_similarity, text_rank,
        vl_similarity, vl_rank, full_text_similarity, full_text_rank, exactness in
      with similarities as materialized (  -- else every cosine is computed twice
        select f.id,
               -- a stored vector of zeros has no direction: its cosine is NaN, which would sort first
               nullif(1 - (f.embedding <=> query_embedding), 'NaN') as text_similarity,
               nullif(1 - (f.embedding_vl <=> query_embedding_vl), 'NaN') as vl_similarity,
               case when f.fts @@ words then ts_rank(f.fts, words)::float end as full_text_similarity
          from public.fonts f
         where f.id = any (pool)
      ),
      ranked as (
        select s.*,
               case when s.text_similarity is not null
                 then rank() over (order by s.text_similarity desc nulls last) end as text_rank,
               case when s.vl_similarity is not null
                 then rank() over (order by s.vl_similarity desc nulls last) end as vl_rank,
               case when s.full_text_similarity is not null
                 then rank() over (order by s.full_text_similarity desc nulls last) end as full_text_rank,
               case normalization when 'raw' then 1 else max(s.full_text_similarity) over () end as full_text_unit
          from similarities s
         where num_nonnulls(s.text_similarity, s.vl_similarity, s.full_text_similarity) > 0
      ),
      -- A font that lacks a leg stands where an unrelated one would: at 0.
      shares as (
        select r.*,
               case when fusion = 'convex' then
                 coalesce(text_weight * (r.text_similarity - text_zero) / text_unit, 0)
                   + coalesce(vl_weight * (r.vl_similarity - vl_zero) / vl_unit, 0)
               else
                 case when r.text_rank <= candidates then text_weight / (rrf_k + r.text_rank) else 0 end
                   + case when r.vl_rank <= candidates then vl_weight / (rrf_k + r.vl_rank) else 0 end
               end as vector_share,
               case when fusion = 'convex' then
                 coalesce(words_weight * r.full_text_similarity / r.full_text_unit, 0)
               else
                 case when r.full_text_rank <= candidates then words_weight / (rrf_k + r.full_text_rank) else 0 end
               end as words_share
          from ranked r
      ),
      best as (
        select s.*, s.vector_share + s.words_share as score from shares s
         where s.vector_share + s.words_share > coalesce(match_threshold, '-infinity')
         order by score desc, s.id
         limit horizon
      ),
      -- Fagin's threshold: what a font that neither list proposed can reach. Its words weigh no more than those at
      -- the end of their list; its vectors no more than the best of the second half of theirs: a half, and not the
      -- last one, because the index orders by a part of the dimensions.
      outside as materialized (  -- once, not for every row of the answer
        select coalesce(max(s.vector_share) filter (where s.id = any (edge)), 0)
             + case when cardinality(proposed_by_words) = depth then
                 coalesce(min(s.words_share) filter (where s.id = any (proposed_by_words)), 0) else 0 end as score
          from shares s
      ),
      worst as materialized (
        select case count(*) when horizon then min(b.score) else match_threshold end as score from best b
      )
      select f.id, f.name, f.category, f.description, f.tags, f.source, f.files, b.score,
             b.text_similarity, b.text_rank, b.vl_similarity, b.vl_rank, b.full_text_similarity, b.full_text_rank,
             case
               when scanning then 'scanned'
               when fusion = 'rrf' then 'bounded'  -- a leg counts no further than it was asked
               when w.score > o.score then 'bounded'
               else 'unproven'
             end
        from best b
        join public.fonts f on f.id = b.id
        cross join outside o
        cross join worst w
       order by b.score desc, b.id
      limit match_count offset match_offset
    loop
      exit when exactness = 'unproven' and depth < deepest;  -- every row says the same: none was returned yet
      return next;
    end loop;
    exit when scanning or depth = deepest or found and exactness <> 'unproven';
    depth := least(2 * depth, deepest);
  end loop;
end
$$;

comment on function public.match_fonts_hybrid is
  'Fonts whose fused score exceeds match_threshold, best first, ties by id. Legs: text vector, appearance vector (vl), words; one that is null takes no weight. fusion convex: score = full_text_weight * words + (1 - full_text_weight) * (alpha * text + (1 - alpha) * vl), each vector leg as it is (raw), by its range (min_max) or by its spread (z_score) over 200 fonts. fusion rrf: the same weights over rrf_k + rank, where the rank is within candidates. Similarities are cosines, and ts_rank for the words; ranks count among the fonts that were scored. exactness: scanned = every font that passes the filter was scored; bounded = no other font can reach these, as far as the index proposes in order; unproven = candidates was reached first.';

create function public.similar_fonts(
  font_id uuid,
  match_count int default 10,
  alpha float default 0,
  match_threshold float default null,
  filter jsonb default null,
  match_offset int default 0
)
returns table (
  id uuid,
  name text,
  category text,
  description text,
  tags text[],
  source text,
  files jsonb,
  score float,
  text_similarity float,
  text_rank bigint,
  vl_similarity float,
  vl_rank bigint,
  full_text_similarity float,
  full_text_rank bigint,
  exactness text
)
language plpgsql stable security invoker
set search_path = extensions, public, pg_temp
set statement_timeout = '3s'
as $$
#variable_conflict use_column
declare
  font record;
begin
  select f.name, f.embedding, f.embedding_vl into font from public.fonts f where f.id = font_id;
  if not found then
    raise exception 'there is no font with the id %', coalesce(font_id::text, 'null') using errcode = '22023';
  end if;
  if alpha < 1 and font.embedding_vl is null or alpha > 0 and font.embedding is null then
    raise exception 'the font % has no % vector yet', font.name,
        case when alpha < 1 and font.embedding_vl is null then 'appearance' else 'text' end
      using errcode = '22023', hint = 'Run: indexer backfill. alpha 0 compares appearance alone, alpha 1 text alone.';
  end if;
  return query
    select * from public.match_fonts_hybrid(
      query_embedding => case when alpha > 0 then font.embedding end,
      query_embedding_vl => case when alpha < 1 then font.embedding_vl end,
      match_threshold => match_threshold,
      match_count => match_count,
      alpha => alpha,
      filter => case when filter is null or jsonb_typeof(filter) = 'object'
        then jsonb_set(coalesce(filter, '{}'), '{exclude}', coalesce(filter -> 'exclude', '[]') || to_jsonb(font_id))
        else filter end,
      match_offset => match_offset);
end
$$;

comment on function public.similar_fonts is
  'Neighbours of a font by what it looks like (alpha 0), by what is said about it (alpha 1) or by a mix, without itself; columns as of match_fonts_hybrid.';

revoke all on function font_index.filter_condition, public.match_fonts_hybrid, public.similar_fonts from public;

do $$
declare
  api_role name;
begin
  foreach api_role in array array['anon', 'authenticated', 'service_role'] loop
    if exists (select from pg_roles where rolname = api_role) then
      execute format('grant execute on function public.match_fonts_hybrid, public.similar_fonts to %I', api_role);
      -- called on behalf of the API's roles; the schema is not exposed and its tables stay closed to them
      execute format('grant usage on schema font_index to %I', api_role);
      execute format('grant execute on function font_index.filter_condition to %I', api_role);
    end if;
  end loop;
end
$$;

notify pgrst, 'reload schema';
