--
-- PostgreSQL database dump
--

--
-- Name: font_index; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA font_index;

--
-- Name: SCHEMA font_index; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA font_index IS 'Bookkeeping of the font indexing job. Private: not for the API.';

--
-- Name: public; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA public;

--
-- Name: SCHEMA public; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA public IS 'standard public schema';

--
-- Name: filter_condition(jsonb); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.filter_condition(filter jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  trait_names constant text[] := array[
    'x_height', 'ascender', 'descender', 'width', 'o_proportion', 'contrast', 'stress', 'weight', 'ink', 'slant',
    'advance_spread', 'serifs', 'serif_weight', 'terminal_roundness', 'squareness', 'aperture', 'spacing',
    'a_storeys', 'g_storeys', 'joined', 'unicase', 'rectilinear', 'angularity', 'stepped', 'irregularity',
    'roughness', 'hollow', 'distinct', 'flourish', 'is_text', 'oldstyle_figures'];
  operators constant jsonb := '{"lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "eq": "=="}';
  example constant text :=
    'For example {"category": "serif", "tags": {"all": ["latin"]}, "traits": {"x_height": {"gte": 0.7}}}.';
  conditions text[] := array['true'];
  entry record;
  comparison record;
  items jsonb;
  strings text[];
begin
  if filter is null then
    return 'true';
  end if;
  if jsonb_typeof(filter) <> 'object' then
    raise exception 'filter must be an object, not %', jsonb_typeof(filter) using errcode = '22023', hint = example;
  end if;
  if jsonb_typeof(filter -> 'tags') <> 'object' or jsonb_typeof(filter -> 'traits') <> 'object' then
    raise exception 'filter.tags and filter.traits must be objects' using errcode = '22023', hint = example;
  end if;

  for entry in
    select e.key, e.value from jsonb_each(filter - 'tags' - 'traits') e
    union all
    select 'tags.' || e.key, e.value from jsonb_each(filter -> 'tags') e
  loop
    if entry.key not in ('category', 'source', 'license', 'subsets', 'exclude', 'tags.any', 'tags.all') then
      raise exception 'filter has an unknown key: %', entry.key using errcode = '22023',
        hint = 'There are category, source, license, subsets, tags.any, tags.all, traits and exclude.';
    end if;
    items := case jsonb_typeof(entry.value) when 'array' then entry.value else jsonb_build_array(entry.value) end;
    if exists (select from jsonb_array_elements(items) item where jsonb_typeof(item) <> 'string') then
      raise exception 'filter.% must be a string or a list of strings', entry.key
        using errcode = '22023', hint = example;
    end if;
    strings := array(select jsonb_array_elements_text(items));
    conditions := conditions || case entry.key
      when 'tags.any' then format('f.tags && %L::text[]', strings)
      when 'tags.all' then format('f.tags @> %L::text[]', strings)
      when 'subsets' then format('f.tags @> %L::text[]', strings)  -- the importer puts them among the tags
      when 'exclude' then format('f.id::text <> all (%L::text[])', lower(strings::text)::text[])
      else format('f.%I = any (%L::text[])', entry.key, strings)
    end;
  end loop;

  for entry in select e.key, e.value from jsonb_each(filter -> 'traits') e loop
    if entry.key <> all (trait_names) then
      raise exception 'filter.traits has an unknown trait: %', entry.key
        using errcode = '22023', hint = 'There are ' || array_to_string(trait_names, ', ') || '.';
    end if;
    if jsonb_typeof(entry.value) <> 'object' then
      raise exception 'filter.traits.% must be an object such as {"gte": 0.7}', entry.key using errcode = '22023';
    end if;
    for comparison in select e.key, e.value from jsonb_each(entry.value) e loop
      if not operators ? comparison.key or jsonb_typeof(comparison.value) not in ('number', 'boolean') then
        raise exception 'filter.traits.% must compare with a number or true or false, not %',
            entry.key, jsonb_build_object(comparison.key, comparison.value)
          using errcode = '22023', hint = 'The comparisons are lt, lte, gt, gte and eq.';
      end if;
      -- every part of the path is one of ours or a number or boolean
      conditions := conditions || format('f.traits @@ %L',
        format('$.%s %s %s', entry.key, operators ->> comparison.key, comparison.value));
    end loop;
  end loop;
  return array_to_string(conditions, ' and ');
end
$_$;

--
-- Name: FUNCTION filter_condition(filter jsonb); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.filter_condition(filter jsonb) IS 'A filter as a condition on a row f of public.fonts, values quoted; SQLSTATE 22023 for what it does not know.';

--
-- Name: set_embedding_joint(); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.set_embedding_joint() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'extensions', 'public', 'pg_temp'
    AS $$
declare
  absent constant halfvec(1024) := array_fill(0, array[1024])::halfvec(1024);
  text_part constant halfvec := coalesce(l2_normalize(subvector(new.embedding, 1, 1024))::halfvec(1024), absent);
  vl_part constant halfvec := coalesce(l2_normalize(subvector(new.embedding_vl, 1, 1024)), absent);
begin
  new.embedding_joint := case when num_nonnulls(new.embedding, new.embedding_vl) > 0 then
    text_part || vl_part
      || array[(l2_norm(text_part) = 0)::int, (l2_norm(vl_part) = 0)::int]::halfvec(2)
  end;
  return new;
end
$$;

--
-- Name: FUNCTION set_embedding_joint(); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.set_embedding_joint() IS 'Keeps fonts.embedding_joint in step with the two vectors that it is made from.';

--
-- Name: set_fts(); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.set_fts() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- a tsvector holds 1 MB at most, and the product's insert must not fail for it
  new.fts := setweight(to_tsvector('english', left(coalesce(new.name, ''), 10000)), 'A')
    || setweight(to_tsvector('english', left(coalesce(new.category, ''), 10000)), 'B')
    || setweight(to_tsvector('english', left(coalesce(array_to_string(new.tags, ' '), ''), 10000)), 'B')
    || setweight(to_tsvector('english', left(coalesce(new.description, ''), 50000)), 'C');
  return new;
end
$$;

--
-- Name: FUNCTION set_fts(); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.set_fts() IS 'Keeps fonts.fts in step with what it is made from.';

--
-- Name: match_fonts(extensions.vector, double precision, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.match_fonts(query_embedding extensions.vector, match_threshold double precision, match_count integer) RETURNS TABLE(name text, category text, description text, tags text[], source text, files jsonb, similarity double precision)
    LANGUAGE sql STABLE
    SET search_path TO 'extensions', 'public', 'pg_temp'
    AS $$
      select f.name, f.category, f.description, f.tags, f.source, f.files,
             1 - (f.embedding <=> query_embedding) as similarity
        from public.fonts f
       where 1 - (f.embedding <=> query_embedding) > match_threshold
       order by f.embedding <=> query_embedding, f.id
       limit match_count
    $$;

--
-- Name: FUNCTION match_fonts(query_embedding extensions.vector, match_threshold double precision, match_count integer); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.match_fonts(query_embedding extensions.vector, match_threshold double precision, match_count integer) IS 'Fonts whose text vector has a cosine above match_threshold with the query''s, best first.';

--
-- Name: match_fonts_hybrid(extensions.vector, extensions.halfvec, double precision, integer, text, double precision, text, integer, jsonb, integer, double precision, text, integer, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.match_fonts_hybrid(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, query_text text DEFAULT NULL::text, alpha double precision DEFAULT 0.5, fusion text DEFAULT 'convex'::text, candidates integer DEFAULT 1000, filter jsonb DEFAULT NULL::jsonb, match_offset integer DEFAULT 0, full_text_weight double precision DEFAULT 0.2, normalization text DEFAULT 'raw'::text, rrf_k integer DEFAULT 60, strategy text DEFAULT 'auto'::text) RETURNS TABLE(id uuid, name text, category text, description text, tags text[], source text, files jsonb, score double precision, text_similarity double precision, text_rank bigint, vl_similarity double precision, vl_rank bigint, full_text_similarity double precision, full_text_rank bigint, exactness text)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'extensions', 'public', 'pg_temp'
    SET statement_timeout TO '3s'
    SET enable_seqscan TO 'off'
    SET enable_sort TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET "hnsw.ef_search" TO '100'
    SET "hnsw.iterative_scan" TO 'relaxed_order'
    SET "hnsw.max_scan_tuples" TO '100000'
    SET "hnsw.scan_mem_multiplier" TO '4'
    AS $_$
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
$_$;

--
-- Name: FUNCTION match_fonts_hybrid(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, query_text text, alpha double precision, fusion text, candidates integer, filter jsonb, match_offset integer, full_text_weight double precision, normalization text, rrf_k integer, strategy text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.match_fonts_hybrid(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, query_text text, alpha double precision, fusion text, candidates integer, filter jsonb, match_offset integer, full_text_weight double precision, normalization text, rrf_k integer, strategy text) IS 'Fonts whose fused score exceeds match_threshold, best first, ties by id. Legs: text vector, appearance vector (vl), words; one that is null takes no weight. fusion convex: score = full_text_weight * words + (1 - full_text_weight) * (alpha * text + (1 - alpha) * vl), each vector leg as it is (raw), by its range (min_max) or by its spread (z_score) over 200 fonts. fusion rrf: the same weights over rrf_k + rank, where the rank is within candidates. Similarities are cosines, and ts_rank for the words; ranks count among the fonts that were scored. exactness: scanned = every font that passes the filter was scored; bounded = no other font can reach these, as far as the index proposes in order; unproven = candidates was reached first.';

--
-- Name: match_searches(extensions.vector, double precision); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.match_searches(query_embedding extensions.vector, match_threshold double precision) RETURNS TABLE(response_json jsonb, similarity double precision)
    LANGUAGE sql STABLE
    SET search_path TO 'extensions', 'public', 'pg_temp'
    AS $$
      select s.response_json, 1 - (s.embedding <=> query_embedding) as similarity
        from public.searches s
       where 1 - (s.embedding <=> query_embedding) > match_threshold
       order by s.embedding <=> query_embedding, s.id
       limit 1
    $$;

--
-- Name: FUNCTION match_searches(query_embedding extensions.vector, match_threshold double precision); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.match_searches(query_embedding extensions.vector, match_threshold double precision) IS 'The answer to the earlier query nearest to this one, if its cosine is above match_threshold.';

--
-- Name: similar_fonts(uuid, integer, double precision, double precision, jsonb, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.similar_fonts(font_id uuid, match_count integer DEFAULT 10, alpha double precision DEFAULT 0, match_threshold double precision DEFAULT NULL::double precision, filter jsonb DEFAULT NULL::jsonb, match_offset integer DEFAULT 0) RETURNS TABLE(id uuid, name text, category text, description text, tags text[], source text, files jsonb, score double precision, text_similarity double precision, text_rank bigint, vl_similarity double precision, vl_rank bigint, full_text_similarity double precision, full_text_rank bigint, exactness text)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'extensions', 'public', 'pg_temp'
    SET statement_timeout TO '3s'
    AS $$
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

--
-- Name: FUNCTION similar_fonts(font_id uuid, match_count integer, alpha double precision, match_threshold double precision, filter jsonb, match_offset integer); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.similar_fonts(font_id uuid, match_count integer, alpha double precision, match_threshold double precision, filter jsonb, match_offset integer) IS 'Neighbours of a font by what it looks like (alpha 0), by what is said about it (alpha 1) or by a mix, without itself; columns as of match_fonts_hybrid.';

--
-- Name: alembic_version; Type: TABLE; Schema: font_index; Owner: -
--

CREATE TABLE font_index.alembic_version (
    version_num text NOT NULL
);

--
-- Name: TABLE alembic_version; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON TABLE font_index.alembic_version IS 'The revision of the schema that this database is at; written by Alembic.';

--
-- Name: embeddings; Type: TABLE; Schema: font_index; Owner: -
--

CREATE TABLE font_index.embeddings (
    font_id uuid NOT NULL,
    space_id text NOT NULL,
    input_hash bytea NOT NULL,
    file_sha256 text,
    run_id bigint NOT NULL,
    indexed_at timestamp with time zone DEFAULT now() NOT NULL,
    embedding extensions.vector(4096),
    vector_md5 text
);

--
-- Name: TABLE embeddings; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON TABLE font_index.embeddings IS 'One row per font and space: from which inputs its vector was made. The vector itself stands here for candidate and retired spaces, and in public.fonts (null here) for the active one. vector_md5 tells a text vector of ours from one that the product has put in its place.';

--
-- Name: failures; Type: TABLE; Schema: font_index; Owner: -
--

CREATE TABLE font_index.failures (
    font_id uuid NOT NULL,
    space_id text NOT NULL,
    input_hash bytea NOT NULL,
    file_sha256 text,
    stage text NOT NULL,
    error text NOT NULL,
    attempts bigint NOT NULL,
    first_at timestamp with time zone DEFAULT now() NOT NULL,
    last_at timestamp with time zone DEFAULT now() NOT NULL,
    next_try_at timestamp with time zone,
    CONSTRAINT failures_stage_check CHECK ((stage = ANY (ARRAY['fetch'::text, 'open'::text, 'render'::text, 'measure'::text, 'embed'::text])))
);

--
-- Name: TABLE failures; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON TABLE font_index.failures IS 'Fonts that could not be indexed as they are. next_try_at is null in quarantine: after the last attempt, until the font or its file changes.';

--
-- Name: files; Type: TABLE; Schema: font_index; Owner: -
--

CREATE TABLE font_index.files (
    url text NOT NULL,
    sha256 text NOT NULL,
    size bigint NOT NULL,
    origin text NOT NULL,
    checked_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: TABLE files; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON TABLE font_index.files IS 'What was last found behind a URL of fonts.files.';

--
-- Name: leases; Type: TABLE; Schema: font_index; Owner: -
--

CREATE TABLE font_index.leases (
    font_id uuid NOT NULL,
    space_id text NOT NULL,
    run_id bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

--
-- Name: TABLE leases; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON TABLE font_index.leases IS 'Fonts that a run is working on. Rows, not session locks: they hold through a transaction pooler and expire with a dead worker.';

--
-- Name: runs; Type: TABLE; Schema: font_index; Owner: -
--

CREATE TABLE font_index.runs (
    id bigint NOT NULL,
    space_id text NOT NULL,
    host text NOT NULL,
    process_id bigint NOT NULL,
    versions jsonb NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    outcome text DEFAULT 'running'::text NOT NULL,
    counts jsonb DEFAULT '{}'::jsonb NOT NULL,
    timings jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT runs_outcome_check CHECK ((outcome = ANY (ARRAY['running'::text, 'finished'::text, 'failed'::text, 'interrupted'::text])))
);

--
-- Name: TABLE runs; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON TABLE font_index.runs IS 'One row per space that a command worked on; timings in seconds.';

--
-- Name: runs_id_seq; Type: SEQUENCE; Schema: font_index; Owner: -
--

ALTER TABLE font_index.runs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME font_index.runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: spaces; Type: TABLE; Schema: font_index; Owner: -
--

CREATE TABLE font_index.spaces (
    id text NOT NULL,
    leg text NOT NULL,
    identity jsonb NOT NULL,
    state text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    activated_at timestamp with time zone,
    CONSTRAINT spaces_leg_check CHECK ((leg = ANY (ARRAY['text'::text, 'vl'::text]))),
    CONSTRAINT spaces_state_check CHECK ((state = ANY (ARRAY['candidate'::text, 'active'::text, 'retired'::text])))
);

--
-- Name: TABLE spaces; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON TABLE font_index.spaces IS 'Embedding spaces. Vectors of two spaces are never compared; id is the hash of the identity: model, revision, dimension, instructions, sheet spec, text schema, pooled token.';

--
-- Name: fonts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.fonts (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    category text,
    description text,
    license text DEFAULT 'OFL'::text,
    embedding extensions.vector(4096),
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    tags text[] DEFAULT '{}'::text[],
    source text DEFAULT 'Google Fonts'::text,
    files jsonb DEFAULT '{}'::jsonb,
    embedding_vl extensions.halfvec(4096),
    traits jsonb,
    fts tsvector,
    embedding_joint extensions.halfvec(2050)
);

--
-- Name: TABLE fonts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.fonts IS 'One row per font family; files maps weights to addresses of font files.';

--
-- Name: COLUMN fonts.embedding_vl; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.fonts.embedding_vl IS 'What the font looks like: vector of the active space of leg ''vl'', zero-padded to 4096.';

--
-- Name: COLUMN fonts.traits; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.fonts.traits IS 'Typographic measurements of the regular style; ratios, see the README. A key is absent where the font lacks the glyphs.';

--
-- Name: COLUMN fonts.fts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.fonts.fts IS 'Words of name (weight A), category and tags (B) and description (C), for the full-text leg of match_fonts_hybrid.';

--
-- Name: COLUMN fonts.embedding_joint; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.fonts.embedding_joint IS 'The first 1024 dimensions of embedding and of embedding_vl side by side, each of length 1, or zeros where there is none; then, for each, 1 where there is none: by it the index fonts_embedding_joint_hnsw proposes candidates.';

--
-- Name: searches; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.searches (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    query_text text NOT NULL,
    embedding extensions.vector(4096),
    response_json jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: TABLE searches; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.searches IS 'Answers to earlier queries, with the queries'' vectors.';

--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

--
-- Name: embeddings embeddings_pkey; Type: CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.embeddings
    ADD CONSTRAINT embeddings_pkey PRIMARY KEY (space_id, font_id);

--
-- Name: failures failures_pkey; Type: CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.failures
    ADD CONSTRAINT failures_pkey PRIMARY KEY (space_id, font_id);

--
-- Name: files files_pkey; Type: CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.files
    ADD CONSTRAINT files_pkey PRIMARY KEY (url);

--
-- Name: leases leases_pkey; Type: CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (space_id, font_id);

--
-- Name: runs runs_pkey; Type: CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (id);

--
-- Name: spaces spaces_pkey; Type: CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.spaces
    ADD CONSTRAINT spaces_pkey PRIMARY KEY (id);

--
-- Name: fonts fonts_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.fonts
    ADD CONSTRAINT fonts_name_key UNIQUE (name);

--
-- Name: fonts fonts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.fonts
    ADD CONSTRAINT fonts_pkey PRIMARY KEY (id);

--
-- Name: searches searches_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.searches
    ADD CONSTRAINT searches_pkey PRIMARY KEY (id);

--
-- Name: searches searches_query_text_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.searches
    ADD CONSTRAINT searches_query_text_key UNIQUE (query_text);

--
-- Name: embeddings_run_id; Type: INDEX; Schema: font_index; Owner: -
--

CREATE INDEX embeddings_run_id ON font_index.embeddings USING btree (run_id);

--
-- Name: INDEX embeddings_run_id; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON INDEX font_index.embeddings_run_id IS 'For the foreign key.';

--
-- Name: leases_run_id; Type: INDEX; Schema: font_index; Owner: -
--

CREATE INDEX leases_run_id ON font_index.leases USING btree (run_id);

--
-- Name: INDEX leases_run_id; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON INDEX font_index.leases_run_id IS 'For the foreign key, and for the release of all leases of a run.';

--
-- Name: runs_space_id; Type: INDEX; Schema: font_index; Owner: -
--

CREATE INDEX runs_space_id ON font_index.runs USING btree (space_id);

--
-- Name: INDEX runs_space_id; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON INDEX font_index.runs_space_id IS 'For the foreign key.';

--
-- Name: spaces_one_active_per_leg; Type: INDEX; Schema: font_index; Owner: -
--

CREATE UNIQUE INDEX spaces_one_active_per_leg ON font_index.spaces USING btree (leg) WHERE (state = 'active'::text);

--
-- Name: INDEX spaces_one_active_per_leg; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON INDEX font_index.spaces_one_active_per_leg IS 'Search never meets two spaces on one leg.';

--
-- Name: fonts_embedding_joint_hnsw; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX fonts_embedding_joint_hnsw ON public.fonts USING hnsw (embedding_joint extensions.halfvec_cosine_ops);

--
-- Name: INDEX fonts_embedding_joint_hnsw; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.fonts_embedding_joint_hnsw IS 'Proposes candidates of both vector legs, for any weights.';

--
-- Name: fonts_fts_gin; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX fonts_fts_gin ON public.fonts USING gin (fts);

--
-- Name: INDEX fonts_fts_gin; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.fonts_fts_gin IS 'Proposes candidates of the full-text leg.';

--
-- Name: fonts fonts_set_embedding_joint; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER fonts_set_embedding_joint BEFORE INSERT OR UPDATE OF embedding, embedding_vl, embedding_joint ON public.fonts FOR EACH ROW EXECUTE FUNCTION font_index.set_embedding_joint();

--
-- Name: TRIGGER fonts_set_embedding_joint ON fonts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER fonts_set_embedding_joint ON public.fonts IS 'Writes embedding_joint whenever a row or one of its vectors is written.';

--
-- Name: fonts fonts_set_fts; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER fonts_set_fts BEFORE INSERT OR UPDATE OF name, category, tags, description, fts ON public.fonts FOR EACH ROW EXECUTE FUNCTION font_index.set_fts();

--
-- Name: TRIGGER fonts_set_fts ON fonts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER fonts_set_fts ON public.fonts IS 'Writes fts whenever a row or one of the columns that it is made from is written.';

--
-- Name: embeddings embeddings_run_id_fkey; Type: FK CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.embeddings
    ADD CONSTRAINT embeddings_run_id_fkey FOREIGN KEY (run_id) REFERENCES font_index.runs(id);

--
-- Name: embeddings embeddings_space_id_fkey; Type: FK CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.embeddings
    ADD CONSTRAINT embeddings_space_id_fkey FOREIGN KEY (space_id) REFERENCES font_index.spaces(id);

--
-- Name: failures failures_space_id_fkey; Type: FK CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.failures
    ADD CONSTRAINT failures_space_id_fkey FOREIGN KEY (space_id) REFERENCES font_index.spaces(id);

--
-- Name: leases leases_run_id_fkey; Type: FK CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.leases
    ADD CONSTRAINT leases_run_id_fkey FOREIGN KEY (run_id) REFERENCES font_index.runs(id) ON DELETE CASCADE;

--
-- Name: leases leases_space_id_fkey; Type: FK CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.leases
    ADD CONSTRAINT leases_space_id_fkey FOREIGN KEY (space_id) REFERENCES font_index.spaces(id);

--
-- Name: runs runs_space_id_fkey; Type: FK CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.runs
    ADD CONSTRAINT runs_space_id_fkey FOREIGN KEY (space_id) REFERENCES font_index.spaces(id);

--
-- Name: fonts Fonts are readable by everyone; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY "Fonts are readable by everyone" ON public.fonts FOR SELECT USING (true);

--
-- Name: POLICY "Fonts are readable by everyone" ON fonts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON POLICY "Fonts are readable by everyone" ON public.fonts IS 'Rows are public. Who may write is left to grants and to roles that row-level security does not bind.';

--
-- Name: fonts; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.fonts ENABLE ROW LEVEL SECURITY;

--
-- Name: searches; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.searches ENABLE ROW LEVEL SECURITY;

--
-- Name: SCHEMA font_index; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA font_index TO anon;
GRANT USAGE ON SCHEMA font_index TO authenticated;
GRANT USAGE ON SCHEMA font_index TO service_role;

--
-- Name: FUNCTION filter_condition(filter jsonb); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.filter_condition(filter jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.filter_condition(filter jsonb) TO anon;
GRANT ALL ON FUNCTION font_index.filter_condition(filter jsonb) TO authenticated;
GRANT ALL ON FUNCTION font_index.filter_condition(filter jsonb) TO service_role;

--
-- Name: FUNCTION set_embedding_joint(); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.set_embedding_joint() FROM PUBLIC;

--
-- Name: FUNCTION set_fts(); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.set_fts() FROM PUBLIC;

--
-- Name: FUNCTION match_fonts(query_embedding extensions.vector, match_threshold double precision, match_count integer); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.match_fonts(query_embedding extensions.vector, match_threshold double precision, match_count integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.match_fonts(query_embedding extensions.vector, match_threshold double precision, match_count integer) TO anon;
GRANT ALL ON FUNCTION public.match_fonts(query_embedding extensions.vector, match_threshold double precision, match_count integer) TO authenticated;
GRANT ALL ON FUNCTION public.match_fonts(query_embedding extensions.vector, match_threshold double precision, match_count integer) TO service_role;

--
-- Name: FUNCTION match_fonts_hybrid(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, query_text text, alpha double precision, fusion text, candidates integer, filter jsonb, match_offset integer, full_text_weight double precision, normalization text, rrf_k integer, strategy text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.match_fonts_hybrid(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, query_text text, alpha double precision, fusion text, candidates integer, filter jsonb, match_offset integer, full_text_weight double precision, normalization text, rrf_k integer, strategy text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.match_fonts_hybrid(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, query_text text, alpha double precision, fusion text, candidates integer, filter jsonb, match_offset integer, full_text_weight double precision, normalization text, rrf_k integer, strategy text) TO anon;
GRANT ALL ON FUNCTION public.match_fonts_hybrid(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, query_text text, alpha double precision, fusion text, candidates integer, filter jsonb, match_offset integer, full_text_weight double precision, normalization text, rrf_k integer, strategy text) TO authenticated;
GRANT ALL ON FUNCTION public.match_fonts_hybrid(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, query_text text, alpha double precision, fusion text, candidates integer, filter jsonb, match_offset integer, full_text_weight double precision, normalization text, rrf_k integer, strategy text) TO service_role;

--
-- Name: FUNCTION match_searches(query_embedding extensions.vector, match_threshold double precision); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.match_searches(query_embedding extensions.vector, match_threshold double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION public.match_searches(query_embedding extensions.vector, match_threshold double precision) TO service_role;

--
-- Name: FUNCTION similar_fonts(font_id uuid, match_count integer, alpha double precision, match_threshold double precision, filter jsonb, match_offset integer); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.similar_fonts(font_id uuid, match_count integer, alpha double precision, match_threshold double precision, filter jsonb, match_offset integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.similar_fonts(font_id uuid, match_count integer, alpha double precision, match_threshold double precision, filter jsonb, match_offset integer) TO anon;
GRANT ALL ON FUNCTION public.similar_fonts(font_id uuid, match_count integer, alpha double precision, match_threshold double precision, filter jsonb, match_offset integer) TO authenticated;
GRANT ALL ON FUNCTION public.similar_fonts(font_id uuid, match_count integer, alpha double precision, match_threshold double precision, filter jsonb, match_offset integer) TO service_role;

--
-- Name: TABLE fonts; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.fonts TO anon;
GRANT SELECT ON TABLE public.fonts TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.fonts TO service_role;

--
-- Name: TABLE searches; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.searches TO service_role;

--
-- PostgreSQL database dump complete
--
