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
-- Name: scored_font; Type: TYPE; Schema: font_index; Owner: -
--

CREATE TYPE font_index.scored_font AS (
	id uuid,
	text_similarity double precision,
	vl_similarity double precision,
	words_similarity double precision
);

--
-- Name: TYPE scored_font; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON TYPE font_index.scored_font IS 'A font and its similarity to a query on each leg: cosines, and ts_rank for the words; null where the font, or the query, lacks the leg.';

--
-- Name: proposal; Type: TYPE; Schema: font_index; Owner: -
--

CREATE TYPE font_index.proposal AS (
	fonts font_index.scored_font[],
	exactness text
);

--
-- Name: TYPE proposal; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON TYPE font_index.proposal IS 'The fonts that are ranked, and how sure it is that no other belongs among the best of them: see match_fonts_hybrid.';

--
-- Name: search_query; Type: TYPE; Schema: font_index; Owner: -
--

CREATE TYPE font_index.search_query AS (
	text_weight double precision,
	vl_weight double precision,
	words_weight double precision,
	text_zero double precision,
	text_unit double precision,
	vl_zero double precision,
	vl_unit double precision,
	fusion text,
	normalization text,
	rank_limit integer,
	rrf_k integer,
	words tsquery,
	vl extensions.halfvec,
	text extensions.vector
);

--
-- Name: TYPE search_query; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON TYPE font_index.search_query IS 'What match_fonts_hybrid has understood of its arguments.';

--
-- Name: any_word(text); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.any_word(query_text text) RETURNS tsquery
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select string_agg('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''', ' | ' order by lexeme)::tsquery
    from (select lexeme from unnest(to_tsvector('english', query_text)) order by positions[1], lexeme limit 16) w
$$;

--
-- Name: FUNCTION any_word(query_text text); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.any_word(query_text text) IS 'A query that any of the words answers: descriptions of a look rarely hold all of them. Of the first 16 different ones, for each is looked up in each font. Null where there is none.';

--
-- Name: check_filter(jsonb); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.check_filter(filter jsonb) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  example constant text :=
    'For example {"category": "serif", "tags": {"all": ["latin"]}, "traits": {"x_height": {"gte": 0.7}}}.';
  problem constant text := case
    when jsonb_typeof(filter) <> 'object' then ' must be an object, not ' || jsonb_typeof(filter)
    when octet_length(filter::text) > 65536 then ' must be at most 64 KB long'
    when jsonb_path_exists(filter, 'strict $.**{5}') then ' must be at most 4 levels deep'
    when jsonb_path_exists(filter - 'exclude', 'strict $.** ? (@.type() == "array" && @.size() > 200)')
      then ' must have at most 200 entries in a list'
    -- and the one that similar_fonts adds
    when jsonb_path_exists(filter, '$.exclude.size() ? (@ > 1001)') then '.exclude must have at most 1000 entries'
    when jsonb_typeof(filter -> 'tags') <> 'object' then '.tags must be an object'
    when jsonb_typeof(filter -> 'traits') <> 'object' then '.traits must be an object'
    when jsonb_typeof(filter -> 'styles') <> 'object' then '.styles must be an object'
    when jsonb_typeof(filter -> 'collapse') <> 'boolean' then '.collapse must be true or false'
    when jsonb_typeof(filter -> 'covers') <> 'string' then '.covers must be a string'
    when length(filter ->> 'covers') > 200 then '.covers must be at most 200 characters long'
  end;
  unknown text;
begin
  if problem is not null then
    raise exception 'filter%', problem using errcode = '22023', hint = example;
  end if;
  for unknown in
    select key from jsonb_object_keys(filter) key
     where key not in ('category', 'source', 'license', 'subsets', 'tags', 'traits', 'covers', 'styles', 'collapse',
                       'exclude')
    union all
    select 'tags.' || key from jsonb_object_keys(filter -> 'tags') key where key not in ('any', 'all')
    union all
    select 'styles.' || key from jsonb_object_keys(filter -> 'styles') key
     where key not in ('weights', 'italic', 'axes')
  loop
    raise exception 'filter has an unknown key: %', left(unknown, 100) using errcode = '22023',
      hint = 'There are category, source, license, subsets, tags.any, tags.all, traits, covers, styles.weights, '
        'styles.italic, styles.axes, collapse and exclude.';
  end loop;
end
$_$;

--
-- Name: FUNCTION check_filter(filter jsonb); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.check_filter(filter jsonb) IS 'Raises SQLSTATE 22023, with a hint, for a filter that is too large, too deep, or has a key that there is not.';

--
-- Name: check_search(extensions.vector, extensions.halfvec, double precision, integer, integer, text, double precision, double precision, integer, integer, text, text, text, boolean); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.check_search(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, match_offset integer, query_text text, alpha double precision, full_text_weight double precision, candidates integer, rrf_k integer, fusion text, normalization text, strategy text, is_owner boolean) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'extensions', 'public', 'pg_temp'
    AS $$
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

--
-- Name: FUNCTION check_search(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, match_offset integer, query_text text, alpha double precision, full_text_weight double precision, candidates integer, rrf_k integer, fusion text, normalization text, strategy text, is_owner boolean); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.check_search(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, match_offset integer, query_text text, alpha double precision, full_text_weight double precision, candidates integer, rrf_k integer, fusion text, normalization text, strategy text, is_owner boolean) IS 'Raises SQLSTATE 22023, with a hint, for an argument of match_fonts_hybrid that is out of bounds.';

--
-- Name: code_points(text); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.code_points(characters text) RETURNS int4multirange
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(range_agg(int4range(ascii(c), ascii(c), '[]')), '{}')
    from regexp_split_to_table(characters, '') c where c !~ '\s' and c <> ''
$$;

--
-- Name: FUNCTION code_points(characters text); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.code_points(characters text) IS 'The Unicode code points of a text, white space omitted.';

--
-- Name: fill_up(font_index.search_query, text, integer); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.fill_up(query font_index.search_query, condition text, horizon integer) RETURNS font_index.proposal
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  by_words constant font_index.scored_font[] := font_index.propose_by_words(query, condition, 4 * horizon);
begin
  return row(font_index.joined(by_words, font_index.propose_all(
    query, format('%s order by f.id limit %L', condition, 4 * horizon))), 'likely')::font_index.proposal;
end
$$;

--
-- Name: FUNCTION fill_up(query font_index.search_query, condition text, horizon integer); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.fill_up(query font_index.search_query, condition text, horizon integer) IS 'Where words weigh all: the fonts that they fit, and then the first by id, which score 0.';

--
-- Name: filter_condition(jsonb); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.filter_condition(filter jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  conditions text[] := array['true'];
  key text;
begin
  if filter is null then
    return 'true';
  end if;
  perform font_index.check_filter(filter);
  foreach key in array array['category', 'source', 'license'] loop
    if filter ? key then
      conditions := conditions || format('f.%I = any (%L::text[])', key, font_index.filter_strings(filter, array[key]));
    end if;
  end loop;
  if filter ? 'subsets' then  -- the importer puts them among the tags
    conditions := conditions || format('f.tags @> %L::text[]', font_index.filter_strings(filter, '{subsets}'));
  end if;
  if filter -> 'tags' ? 'all' then
    conditions := conditions || format('f.tags @> %L::text[]', font_index.filter_strings(filter, '{tags,all}'));
  end if;
  if filter -> 'tags' ? 'any' then
    conditions := conditions || format('f.tags && %L::text[]', font_index.filter_strings(filter, '{tags,any}'));
  end if;
  if filter ? 'exclude' then
    -- what is no id excludes nothing
    conditions := conditions || format('f.id <> all (%L::uuid[])', array(
      select id::uuid from unnest(font_index.filter_strings(filter, '{exclude}')) id
       where id ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'));
  end if;
  if filter ? 'covers' then
    conditions := conditions || format('f.coverage @> %L::int4multirange', font_index.code_points(filter ->> 'covers'));
  end if;
  if filter ? 'traits' then
    conditions := conditions || font_index.trait_condition(filter -> 'traits');
  end if;
  if filter ? 'styles' then
    conditions := conditions || font_index.style_condition(filter -> 'styles');
  end if;
  return array_to_string(conditions, ' and ');
end
$_$;

--
-- Name: FUNCTION filter_condition(filter jsonb); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.filter_condition(filter jsonb) IS 'A filter as a condition on a row f of public.fonts, values quoted; SQLSTATE 22023 for what it does not know.';

--
-- Name: filter_strings(jsonb, text[]); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.filter_strings(filter jsonb, path text[]) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  given constant jsonb := filter #> path;
  items constant jsonb := case jsonb_typeof(given) when 'array' then given else jsonb_build_array(given) end;
begin
  if jsonb_path_exists(items, 'strict $[*] ? (@.type() != "string")') then
    raise exception 'filter.% must be a string or a list of strings', array_to_string(path, '.')
      using errcode = '22023', hint = 'For example {"category": ["serif", "display"]}.';
  end if;
  return array(select distinct jsonb_array_elements_text(items));  -- an array of the table is compared with each
end
$_$;

--
-- Name: FUNCTION filter_strings(filter jsonb, path text[]); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.filter_strings(filter jsonb, path text[]) IS 'The strings at a path of a filter: one, or a list of them; each once.';

--
-- Name: has_joint_index(boolean); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.has_joint_index(required boolean) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if exists (
    select from pg_index i
     where i.indexrelid = to_regclass('public.fonts_embedding_joint_hnsw') and i.indisvalid
  ) then
    return true;
  end if;
  if required then
    raise exception 'the index fonts_embedding_joint_hnsw is not there, or not valid'
      using errcode = '55000', hint = 'Run: indexer migrate';
  end if;
  return false;
end
$$;

--
-- Name: FUNCTION has_joint_index(required boolean); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.has_joint_index(required boolean) IS 'Whether the index on fonts.embedding_joint can be asked. Raises SQLSTATE 55000 where it is required and cannot.';

--
-- Name: is_settled(font_index.search_query, font_index.scored_font[], font_index.scored_font[], font_index.scored_font[], integer, double precision); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.is_settled(query font_index.search_query, nearest font_index.scored_font[], nearest_with_words font_index.scored_font[], by_words font_index.scored_font[], horizon integer, match_threshold double precision) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  best_words constant float := case when query.normalization <> 'raw' then by_words[1].words_similarity end;
  settled boolean;
begin
  with by_index as (select * from font_index.shares(query, nearest, best_words)),
  with_words as (select * from font_index.shares(query, nearest_with_words, best_words)),
  totals as (
    select s.id, s.vectors + s.words as total from by_index s
    union select s.id, s.vectors + s.words from with_words s
    union select s.id, s.vectors + s.words from font_index.shares(query, by_words, best_words) s
  ),
  -- Fagin's threshold: a font that has not come yet is no better than the best of the later 55 in 100. Not than the
  -- last, because the index orders by a part of the dimensions; by a half, recall was .002 less. Words count where
  -- fonts that have them are still to come.
  later as (
    select s.vectors as reach from by_index s where s.place > 0.45 * cardinality(nearest)
    union all
    select s.vectors + s.words from with_words s where s.place > 0.45 * cardinality(nearest_with_words)
  )
  select greatest((select t.total from totals t order by t.total desc offset horizon - 1 limit 1), match_threshold)
      > (select max(l.reach) from later l)
    into settled;
  return coalesce(settled, false);
end
$$;

--
-- Name: FUNCTION is_settled(query font_index.search_query, nearest font_index.scored_font[], nearest_with_words font_index.scored_font[], by_words font_index.scored_font[], horizon integer, match_threshold double precision); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.is_settled(query font_index.search_query, nearest font_index.scored_font[], nearest_with_words font_index.scored_font[], by_words font_index.scored_font[], horizon integer, match_threshold double precision) IS 'Whether no font that has yet to come is likely to be among the best `horizon`: nearest came in the order of the index, nearest_with_words in that of those that have any of the words, by_words in that of the words.';

--
-- Name: joined(font_index.scored_font[], font_index.scored_font[]); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.joined(fonts font_index.scored_font[], others font_index.scored_font[]) RETURNS font_index.scored_font[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select fonts || array(
    select o from unnest(others) o where o.id <> all (array(select f.id from unnest(fonts) f)))
$$;

--
-- Name: FUNCTION joined(fonts font_index.scored_font[], others font_index.scored_font[]); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.joined(fonts font_index.scored_font[], others font_index.scored_font[]) IS 'The fonts of both lists, each once.';

--
-- Name: joint_direction(font_index.search_query, double precision, double precision); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.joint_direction(query font_index.search_query, text_weight double precision, vl_weight double precision) RETURNS extensions.halfvec
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'extensions', 'public', 'pg_temp'
    AS $$
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

--
-- Name: FUNCTION joint_direction(query font_index.search_query, text_weight double precision, vl_weight double precision); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.joint_direction(query font_index.search_query, text_weight double precision, vl_weight double precision) IS 'The direction in which fonts.embedding_joint lies of the fonts with the best weighted sum: the mirror of set_embedding_joint.';

--
-- Name: leg_scale(text, double precision[]); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.leg_scale(normalization text, sample double precision[], OUT zero double precision, OUT unit double precision) RETURNS record
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(case normalization when 'min_max' then min(s) when 'z_score' then avg(s) end, 0),
         coalesce(nullif(
           case normalization when 'min_max' then max(s) - min(s) when 'z_score' then stddev(s) end, 0), 1)
    from unnest(sample) s
$$;

--
-- Name: FUNCTION leg_scale(normalization text, sample double precision[], OUT zero double precision, OUT unit double precision); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.leg_scale(normalization text, sample double precision[], OUT zero double precision, OUT unit double precision) IS 'Where the cosines of a leg begin and how far they reach, by a sample of them: (similarity - zero) / unit compares two legs. raw leaves them as they are.';

--
-- Name: propose(font_index.search_query, text, boolean, text, integer, integer, double precision, boolean); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.propose(query font_index.search_query, condition text, filtered boolean, strategy text, horizon integer, deepest integer, match_threshold double precision, is_owner boolean) RETURNS font_index.proposal
    LANGUAGE plpgsql STABLE
    SET search_path TO 'extensions', 'public', 'pg_temp'
    AS $$
declare
  -- Up to so many fonts, scoring each is about as fast as asking the index, and exact; with a filter more, for the
  -- index visits many fonts for one that passes (python -m eval bench search).
  scanned_up_to constant int := case when filtered then 3000 else 1000 end;
  scanning boolean := strategy = 'exact' or coalesce(  -- or the index sees no direction in what it knows of a vector
    'NaN' in (subvector(query.text, 1, 1024) <=> subvector(query.text, 1, 1024),
              subvector(query.vl, 1, 1024) <=> subvector(query.vl, 1, 1024)), false);
  few boolean;
  words_depth constant int := case when strategy <> 'exact' then deepest end;
  by_words font_index.scored_font[];
  found font_index.proposal;
begin
  execute format('select count(*) <= %L from (select from public.fonts f where %s limit %L) f',
    scanned_up_to, condition, scanned_up_to + 1) into few;
  if scanning and not few and not is_owner then
    raise exception 'this search would score more than % fonts one by one', scanned_up_to
      using errcode = '42501', hint = 'Narrow it with filter. strategy exact is for who owns the table.';
  end if;
  if num_nonnulls(query.text, query.vl) = 0 then
    by_words := font_index.propose_by_words(query, condition, words_depth);  -- in the order of the score
    return row(by_words, case when cardinality(by_words) = words_depth then 'likely' else 'scanned' end)::font_index.proposal;
  end if;
  scanning := scanning or few and strategy = 'auto' or not font_index.has_joint_index(required => strategy = 'index');
  if not scanning then
    found := case
      when query.words_weight = 1 then font_index.fill_up(query, condition, horizon)
      when query.fusion = 'rrf' then font_index.propose_legs(query, condition)
      else font_index.propose_nearest(query, condition, query.text_weight / query.text_unit,
        query.vl_weight / query.vl_unit, deepest, horizon, match_threshold)
    end;
  end if;
  if found.exactness is null then
    -- also where the index gave up before it had enough, or there are fewer vectors than that: rather slow than wrong
    found := row(font_index.propose_all(query, condition), 'scanned');
  end if;
  return found;
end
$$;

--
-- Name: FUNCTION propose(query font_index.search_query, condition text, filtered boolean, strategy text, horizon integer, deepest integer, match_threshold double precision, is_owner boolean); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.propose(query font_index.search_query, condition text, filtered boolean, strategy text, horizon integer, deepest integer, match_threshold double precision, is_owner boolean) IS 'The fonts that are ranked: all that pass the filter where they are few, else what the index and the words propose.';

--
-- Name: propose_all(font_index.search_query, text); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.propose_all(query font_index.search_query, condition text) RETURNS font_index.scored_font[]
    LANGUAGE plpgsql STABLE
    SET search_path TO 'extensions', 'public', 'pg_temp'
    AS $$
declare
  statement constant text := format(
    'select array(select row(n.*)::font_index.scored_font from (%s) n)', font_index.scored_statement(condition));
  fonts font_index.scored_font[];
begin
  raise debug '%', statement;
  execute statement into fonts using query.text, query.vl, query.words;
  return fonts;
end
$$;

--
-- Name: FUNCTION propose_all(query font_index.search_query, condition text); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.propose_all(query font_index.search_query, condition text) IS 'Every font that passes the filter.';

--
-- Name: propose_by_words(font_index.search_query, text, integer); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.propose_by_words(query font_index.search_query, condition text, at_most integer) RETURNS font_index.scored_font[]
    LANGUAGE plpgsql STABLE
    SET search_path TO 'extensions', 'public', 'pg_temp'
    AS $_$
declare
  statement constant text := format(
    'select array(select row(w.id, nullif(1 - (w.embedding <=> $1), ''NaN''), nullif(1 - (w.embedding_vl <=> $2), ''NaN''),'
    ' w.similarity)::font_index.scored_font from (select f.id, f.embedding, f.embedding_vl,'
    ' ts_rank(f.fts, $3)::float as similarity from public.fonts f where %s and f.fts @@ $3'
    ' order by similarity desc, f.id limit %L) w)', condition, at_most);
  fonts font_index.scored_font[];
begin
  raise debug '%', statement;
  execute statement into fonts using query.text, query.vl, query.words;
  return fonts;
end
$_$;

--
-- Name: FUNCTION propose_by_words(query font_index.search_query, condition text, at_most integer); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.propose_by_words(query font_index.search_query, condition text, at_most integer) IS 'The fonts that the words fit best, at most so many, the best first.';

--
-- Name: propose_legs(font_index.search_query, text); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.propose_legs(query font_index.search_query, condition text) RETURNS font_index.proposal
    LANGUAGE plpgsql STABLE
    SET search_path TO 'extensions', 'public', 'pg_temp'
    AS $$
declare
  leg float[];
  found font_index.proposal;
  fonts font_index.scored_font[] := case when query.words_weight > 0
    then font_index.propose_by_words(query, condition, query.rank_limit) else '{}' end;
begin
  foreach leg slice 1 in array array[[query.text_weight, 0], [0, query.vl_weight]] loop
    continue when 0 = all (leg);
    found := font_index.propose_nearest(query, condition, leg[1], leg[2], query.rank_limit, null, null);
    exit when found.exactness is null;
    fonts := font_index.joined(fonts, found.fonts);
  end loop;
  found.fonts := fonts;
  return found;
end
$$;

--
-- Name: FUNCTION propose_legs(query font_index.search_query, condition text); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.propose_legs(query font_index.search_query, condition text) IS 'The fonts that the words fit best and the nearest of each leg, as far as its ranks count: for fusion by ranks.';

--
-- Name: propose_nearest(font_index.search_query, text, double precision, double precision, integer, integer, double precision); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.propose_nearest(query font_index.search_query, condition text, text_weight double precision, vl_weight double precision, at_most integer, horizon integer, match_threshold double precision) RETURNS font_index.proposal
    LANGUAGE plpgsql STABLE
    SET search_path TO 'extensions', 'public', 'pg_temp'
    AS $_$
declare
  by_direction constant text := ' order by f.embedding_joint <=> $4 limit ';  -- the index fonts_embedding_joint_hnsw
  statement constant text := font_index.scored_statement(condition) || by_direction || at_most;
  many boolean;
  direction constant halfvec := font_index.joint_direction(query, text_weight, vl_weight);
  by_words font_index.scored_font[] := '{}';
  nearest_with_words font_index.scored_font[] := '{}';
  font font_index.scored_font;
  nearest font_index.scored_font[] := '{}';
  seen int := 0;
  exactness text;
begin
  -- the larger the table, the wider the search for the same recall: 270 at 20,000 fonts, 480 at 200,000
  perform set_config('hnsw.ef_search', least(1000, round(270 * greatest(1, (
    select c.reltuples / 20000 from pg_class c where c.oid = 'public.fonts'::regclass)) ^ 0.25
    * case when horizon is null then 1.6 else 1 end))::text, true);  -- a rank needs all that stand before it
  if query.words_weight > 0 and horizon is not null then
    execute format('select count(*) = 1000 from (select from public.fonts f where %s and f.fts @@ $1 limit 1000) f',
      condition) into many using query.words;
    by_words := font_index.propose_by_words(query, condition, case when many then least(1000, 4 * horizon) else 1000 end);
    if many then
      -- too many to score them all: those that the words fit best, and the nearest of them
      execute format('select array(select row(n.*)::font_index.scored_font from (%s) n)',
          font_index.scored_statement(condition || ' and f.fts @@ $3') || by_direction || least(400, 10 * horizon))
        into nearest_with_words using query.text, query.vl, query.words, direction;
    end if;
  end if;
  raise debug '%', statement;  -- for EXPLAIN: what a function runs, it does not show
  for font in execute statement using query.text, query.vl, query.words, direction loop
    seen := seen + 1;
    nearest := nearest || font;
    -- plpgsql fetches 10 rows, then 50 at a time: a look between would have paid for rows that it does not see
    if seen % 50 = 10 and seen >= 3 * horizon and font_index.is_settled(
      query, nearest, nearest_with_words, by_words, horizon, match_threshold)
    then
      exactness := 'likely';
      exit;
    end if;
  end loop;
  if seen = at_most then
    exactness := coalesce(exactness, case when horizon is null then 'likely' else 'unproven' end);
  end if;
  return row(font_index.joined(font_index.joined(nearest, nearest_with_words), by_words), exactness)::font_index.proposal;
end
$_$;

--
-- Name: FUNCTION propose_nearest(query font_index.search_query, condition text, text_weight double precision, vl_weight double precision, at_most integer, horizon integer, match_threshold double precision); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.propose_nearest(query font_index.search_query, condition text, text_weight double precision, vl_weight double precision, at_most integer, horizon integer, match_threshold double precision) IS 'Fonts as the index fonts_embedding_joint_hnsw brings them, scored as they arrive, and those that have any of the words: until the best `horizon` of them are likely to stay the best, or at_most came (horizon null: at_most of them, and no words). exactness is null where the index ended before that.';

--
-- Name: score(font_index.search_query, font_index.scored_font[]); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.score(query font_index.search_query, fonts font_index.scored_font[]) RETURNS TABLE(id uuid, score double precision, text_similarity double precision, text_rank bigint, vl_similarity double precision, vl_rank bigint, words_similarity double precision, words_rank bigint)
    LANGUAGE plpgsql STABLE ROWS 100
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  best_words constant float := case when query.normalization <> 'raw'
    then (select max(f.words_similarity) from unnest(fonts) f) end;
begin
  return query
    with ranked as (
      select f.*,
             case when f.text_similarity is not null
               then rank() over (order by f.text_similarity desc nulls last) end as text_rank,
             case when f.vl_similarity is not null
               then rank() over (order by f.vl_similarity desc nulls last) end as vl_rank,
             case when f.words_similarity is not null
               then rank() over (order by f.words_similarity desc nulls last) end as words_rank
        from unnest(fonts) with ordinality f (id, text_similarity, vl_similarity, words_similarity, place)
       where num_nonnulls(f.text_similarity, f.vl_similarity, f.words_similarity) > 0
    )
    select r.id,
           case when query.fusion = 'convex' then s.vectors + s.words
           else
             case when r.text_rank <= query.rank_limit then query.text_weight / (query.rrf_k + r.text_rank) else 0 end
               + case when r.vl_rank <= query.rank_limit then query.vl_weight / (query.rrf_k + r.vl_rank) else 0 end
               + case when r.words_rank <= query.rank_limit then query.words_weight / (query.rrf_k + r.words_rank) else 0 end
           end,
           r.text_similarity, r.text_rank, r.vl_similarity, r.vl_rank, r.words_similarity, r.words_rank
      from ranked r join font_index.shares(query, fonts, best_words) s using (place);
end
$$;

--
-- Name: FUNCTION score(query font_index.search_query, fonts font_index.scored_font[]); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.score(query font_index.search_query, fonts font_index.scored_font[]) IS 'The fused score of each font that has any leg of the query, and its place on each leg among these fonts; equal similarities share the best of their ranks.';

--
-- Name: scored_statement(text); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.scored_statement(condition text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format(
    'select f.id, nullif(1 - (f.embedding <=> $1), ''NaN''), nullif(1 - (f.embedding_vl <=> $2), ''NaN''),'
    ' case when f.fts @@ $3 then ts_rank(f.fts, $3)::float end'
    ' from public.fonts f where %s', condition)
$_$;

--
-- Name: FUNCTION scored_statement(condition text); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.scored_statement(condition text) IS 'A statement for rows f of public.fonts as scored_font: $1 is the text vector, $2 the vl vector, $3 the words.';

--
-- Name: serving_weights(); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.serving_weights(OUT alpha double precision, OUT fusion text, OUT full_text_weight double precision) RETURNS record
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(d.alpha, 0.5), coalesce(d.fusion, 'convex'), coalesce(d.full_text_weight, 0.2)
    from (select max(id) filter (where leg = 'text') as text_space, max(id) filter (where leg = 'vl') as vl_space
            from font_index.spaces where state = 'active') serving
    left join lateral (
      select * from font_index.deployed_weights d
       where d.text_space is not distinct from serving.text_space and d.vl_space is not distinct from serving.vl_space
       order by d.id desc limit 1) d on true
$$;

--
-- Name: FUNCTION serving_weights(OUT alpha double precision, OUT fusion text, OUT full_text_weight double precision); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.serving_weights(OUT alpha double precision, OUT fusion text, OUT full_text_weight double precision) IS 'The deployed weights of the pair of spaces that serves now, or 0.5, convex and 0.2. Runs as its owner: its callers see these three values and nothing else of the schema.';

--
-- Name: set_embedding_joint(); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.set_embedding_joint() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'extensions', 'public', 'pg_temp'
    AS $$
declare
  absent constant halfvec(1024) := array_fill(0, array[1024])::halfvec(1024);
  text_vector vector;
  vl_vector halfvec;
  text_part halfvec;
  vl_part halfvec;
  joint halfvec;
begin
  -- statements of their own: without an argument, the row needs no next columns
  if tg_argv[0] = 'text' then
    text_vector := new.embedding_next;
  else
    text_vector := new.embedding;
  end if;
  if tg_argv[0] = 'vl' then
    vl_vector := new.embedding_vl_next;
  else
    vl_vector := new.embedding_vl;
  end if;
  if num_nonnulls(text_vector, vl_vector) > 0 then
    text_part := coalesce(l2_normalize(subvector(text_vector, 1, 1024))::halfvec(1024), absent);
    vl_part := coalesce(l2_normalize(subvector(vl_vector, 1, 1024)), absent);
    joint := text_part || vl_part
      || array[(l2_norm(text_part) = 0)::int, (l2_norm(vl_part) = 0)::int]::halfvec(2);
  end if;
  if tg_nargs = 0 then
    new.embedding_joint := joint;
  else
    new.embedding_joint_next := joint;
  end if;
  return new;
end
$$;

--
-- Name: FUNCTION set_embedding_joint(); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.set_embedding_joint() IS 'Keeps fonts.embedding_joint in step with the two vectors that it is made from; with a leg as its argument, fonts.embedding_joint_next, with the next vector of that leg.';

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
-- Name: shares(font_index.search_query, font_index.scored_font[], double precision); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.shares(query font_index.search_query, fonts font_index.scored_font[], best_words double precision) RETURNS TABLE(id uuid, place bigint, vectors double precision, words double precision)
    LANGUAGE sql IMMUTABLE ROWS 100
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  -- a font that lacks a leg stands where an unrelated one would: at 0
  select f.id, f.place,
         coalesce((query).text_weight * (f.text_similarity - (query).text_zero) / (query).text_unit, 0)
           + coalesce((query).vl_weight * (f.vl_similarity - (query).vl_zero) / (query).vl_unit, 0),
         coalesce(font_index.words_share((query).words_weight, f.words_similarity, best_words), 0)
    from unnest(fonts) with ordinality f (id, text_similarity, vl_similarity, words_similarity, place)
$$;

--
-- Name: FUNCTION shares(query font_index.search_query, fonts font_index.scored_font[], best_words double precision); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.shares(query font_index.search_query, fonts font_index.scored_font[], best_words double precision) IS 'What the vectors and the words give each font in a convex fusion.';

--
-- Name: style_condition(jsonb); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.style_condition(styles jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  given constant jsonb := styles -> 'weights';
  weights constant jsonb := case jsonb_typeof(given) when 'array' then given else jsonb_build_array(given) end;
  axes constant text[] := case when styles ? 'axes' then
    font_index.filter_strings(jsonb_build_object('styles', styles), '{styles,axes}') else '{}' end;
  -- of every family that passes; containment takes a tenth of the time of a path
  wanted jsonb := styles - 'weights' - 'axes';
  conditions text[] := '{}';
begin
  if styles ? 'weights'
    and jsonb_path_exists(weights, 'strict $[*] ? (@.type() != "number" || @ < 1 || @ > 1000)') then
    raise exception 'filter.styles.weights must be numbers between 1 and 1000'
      using errcode = '22023', hint = 'For example {"styles": {"weights": [400, 700]}}.';
  end if;
  if jsonb_typeof(styles -> 'italic') <> 'boolean' then
    raise exception 'filter.styles.italic must be true or false' using errcode = '22023';
  end if;
  if exists (select from unnest(axes) axis where axis !~ '^[A-Za-z0-9]{4}$') then
    raise exception 'filter.styles.axes must be tags of four letters or digits'
      using errcode = '22023', hint = 'For example {"styles": {"axes": ["wdth"]}}.';
  end if;
  if axes <> '{}' then
    wanted := wanted || jsonb_build_object('axes', axes);
  end if;
  if wanted <> '{}' then
    conditions := conditions || format('f.styles @> %L', wanted);
  end if;
  if styles ? 'weights' and weights <> '[]' then
    -- weights of static files, or ones that a variable font reaches; every part of the path is a number
    conditions := conditions || (
      select format('(f.styles @> %L or f.styles @@ %L)', jsonb_build_object('weights', jsonb_agg(distinct w)),
               format('$.axes[*] == "wght" && $.weight[0] <= %s && $.weight[1] >= %s', min(w::numeric), max(w::numeric)))
        from jsonb_array_elements(weights) w);
  end if;
  return case when conditions <> '{}' then array_to_string(conditions, ' and ') else 'true' end;
end
$_$;

--
-- Name: FUNCTION style_condition(styles jsonb); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.style_condition(styles jsonb) IS 'filter.styles as a condition on a row f of public.fonts. A family whose styles are not known does not pass.';

--
-- Name: trait_condition(jsonb); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.trait_condition(traits jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  operators constant jsonb := '{"lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "eq": "=="}';
  entry record;
  terms text[] := '{}';
begin
  for entry in
    select t.key as trait, t.value as wanted, c.key as comparison, c.value
      from jsonb_each(traits) t
      left join lateral jsonb_each(case jsonb_typeof(t.value) when 'object' then t.value end) c on true
  loop
    if entry.trait not in (select t.name from font_index.traits() t) then
      raise exception 'filter.traits has an unknown trait: %', left(entry.trait, 100) using errcode = '22023',
        hint = (select 'There are ' || string_agg(t.name, ', ') || '.' from font_index.traits() t);
    end if;
    if jsonb_typeof(entry.wanted) <> 'object' then
      raise exception 'filter.traits.% must be an object such as {"gte": 0.7}', entry.trait using errcode = '22023';
    end if;
    continue when entry.comparison is null;
    if not operators ? entry.comparison or jsonb_typeof(entry.value) not in ('number', 'boolean') then
      raise exception 'filter.traits.% must compare with a number or true or false, not %',
          entry.trait, left(jsonb_build_object(entry.comparison, entry.value)::text, 100)
        using errcode = '22023', hint = 'The comparisons are lt, lte, gt, gte and eq.';
    end if;
    -- every part of the path is one of ours or a number or boolean
    terms := terms || format('$.%s %s %s', entry.trait, operators ->> entry.comparison, entry.value);
  end loop;
  if cardinality(terms) > 16 then
    raise exception 'filter.traits must have at most 16 comparisons, not %', cardinality(terms) using errcode = '22023';
  end if;
  return case when terms <> '{}' then format('f.traits @@ %L', array_to_string(terms, ' && ')) else 'true' end;
end
$_$;

--
-- Name: FUNCTION trait_condition(traits jsonb); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.trait_condition(traits jsonb) IS 'filter.traits as a condition on a row f of public.fonts. A font that lacks a measurement does not pass.';

--
-- Name: traits(); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.traits() RETURNS TABLE(name text, unit text, low double precision, high double precision, meaning text)
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  values
    ('x_height', 'cap heights', 0.3, 1.1, 'height of x'),
    ('ascender', 'cap heights', 0.7, 1.6, 'height of l'),
    ('descender', 'cap heights', 0, 0.8, 'depth of p below the baseline'),
    ('width', 'x-heights', 0.3, 3, 'mean advance of a to z'),
    ('o_proportion', 'ratio', 0.2, 2.5, 'width of o over its height'),
    ('contrast', 'share', 0, 1, 'how much thinner the thin strokes of o are than the thick ones; 0 is monoline'),
    ('stress', 'degrees', -45, 45, 'how far the axis of o leans to the left; 0 is vertical'),
    ('weight', 'cap heights', 0.01, 0.6, 'stem of H'),
    ('ink', 'share', 0, 1, 'ink in the x-height band of a to z'),
    ('slant', 'degrees', -30, 45, 'how far the letters lean to the right'),
    ('advance_spread', 'ratio', 0, 1, 'standard deviation of the advances over their mean; 0 is monospaced'),
    ('serifs', 'stems', 0, 3, 'how far the foot of a stem outreaches it on a side'),
    ('serif_weight', 'stems', 0, 2, 'thickness of that foot; 1 is slab'),
    ('terminal_roundness', 'share', 0, 1, 'ends of strokes: 0 square, 1 half circles'),
    ('squareness', 'share', 0.5, 1, 'filled area of o over its box: .785 ellipse, 1 rectangle'),
    ('aperture', 'x-heights', 0, 1, 'opening of c'),
    ('spacing', 'ratio', 0, 5, 'gap between the stems of neighbours over the counter of n'),
    ('a_storeys', 'count', 1, 2, 'storeys of a'),
    ('g_storeys', 'count', 1, 2, 'storeys of g'),
    ('joined', 'share', 0, 1, 'neighbouring lower-case letters that touch'),
    ('unicase', 'share', 0, 1, 'how alike lower case and capitals are in shape'),
    ('rectilinear', 'share', 0, 1, 'outline that runs along the axes'),
    ('angularity', 'share', 0, 1, 'outline of round letters in corners of diagonals'),
    ('stepped', 'share', 0, 1, 'outline in right-angled corners, as of pixels'),
    ('irregularity', 'x-heights', 0, 0.5, 'how far letters stray from baseline and x-height'),
    ('roughness', 'share', 0, 1, 'how much directions of nearby outline differ'),
    ('hollow', 'share', 0, 1, 'letters drawn as outlines'),
    ('distinct', 'share', 0, 1, 'how far apart 0 and O, and 1, l and I are in shape'),
    ('flourish', 'cap heights', 0, 3, 'how far capitals reach out of their own space'),
    ('is_text', 'true or false', 0, 1, 'false for barcodes, blocks and symbols, of which little else is measured'),
    ('oldstyle_figures', 'cap heights', 0, 0.6, 'spread of the heights of the digits')
$$;

--
-- Name: FUNCTION traits(); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.traits() IS 'The measurements in fonts.traits: name, unit, the range in which nearly all fonts lie, and what is measured.';

--
-- Name: weigh(extensions.vector, extensions.halfvec, text, double precision, double precision, text, text, integer, integer); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.weigh(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, query_text text, alpha double precision, full_text_weight double precision, fusion text, normalization text, rank_limit integer, rrf_k integer, OUT query font_index.search_query) RETURNS font_index.search_query
    LANGUAGE plpgsql STABLE
    SET search_path TO 'extensions', 'public', 'pg_temp'
    AS $$
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

--
-- Name: FUNCTION weigh(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, query_text text, alpha double precision, full_text_weight double precision, fusion text, normalization text, rank_limit integer, rrf_k integer, OUT query font_index.search_query); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.weigh(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, query_text text, alpha double precision, full_text_weight double precision, fusion text, normalization text, rank_limit integer, rrf_k integer, OUT query font_index.search_query) IS 'The legs of a query and their weights. Raises SQLSTATE 22023 where there is no leg.';

--
-- Name: words_share(double precision, double precision, double precision); Type: FUNCTION; Schema: font_index; Owner: -
--

CREATE FUNCTION font_index.words_share(weight double precision, similarity double precision, best double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select weight * similarity / coalesce(best, similarity + 0.1)
$$;

--
-- Name: FUNCTION words_share(weight double precision, similarity double precision, best double precision); Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON FUNCTION font_index.words_share(weight double precision, similarity double precision, best double precision) IS 'What words are worth in a convex fusion, from 0 to their weight: their share of the best, where that is given, or else ts_rank r as r / (r + 0.1). So a word of the name (.6) is worth .86, one of the tags or the category (.24) .71, one of the description (.12) .55: as much as a cosine.';

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

CREATE FUNCTION public.match_fonts_hybrid(query_embedding extensions.vector DEFAULT NULL::extensions.vector, query_embedding_vl extensions.halfvec DEFAULT NULL::extensions.halfvec, match_threshold double precision DEFAULT NULL::double precision, match_count integer DEFAULT 10, query_text text DEFAULT NULL::text, alpha double precision DEFAULT NULL::double precision, fusion text DEFAULT NULL::text, candidates integer DEFAULT NULL::integer, filter jsonb DEFAULT NULL::jsonb, match_offset integer DEFAULT 0, full_text_weight double precision DEFAULT NULL::double precision, normalization text DEFAULT 'raw'::text, rrf_k integer DEFAULT 60, strategy text DEFAULT 'auto'::text) RETURNS TABLE(id uuid, name text, category text, description text, tags text[], source text, files jsonb, score double precision, text_similarity double precision, text_rank bigint, vl_similarity double precision, vl_rank bigint, full_text_similarity double precision, full_text_rank bigint, exactness text)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'extensions', 'public', 'pg_temp'
    SET statement_timeout TO '3s'
    SET enable_seqscan TO 'off'
    SET enable_sort TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET "hnsw.ef_search" TO '270'
    SET "hnsw.iterative_scan" TO 'relaxed_order'
    SET "hnsw.max_scan_tuples" TO '100000'
    SET "hnsw.scan_mem_multiplier" TO '4'
    AS $$
-- the names of the answer's columns are also columns of the table
#variable_conflict use_column
declare
  query font_index.search_query;
  condition constant text := font_index.filter_condition(filter);
  collapse constant boolean := coalesce((filter -> 'collapse')::boolean, false);
  last int;
  horizon int := case when collapse then 80 else 20 end;  -- fonts of one design stand close together
  -- of the bookkeeping: it measures and evaluates, and may ask for more than a visitor
  is_owner constant boolean := has_table_privilege('font_index.embeddings', 'select');
  found font_index.proposal;
  crowded boolean;
begin
  if num_nulls(alpha, fusion, full_text_weight) > 0 then
    select coalesce(match_fonts_hybrid.alpha, w.alpha), coalesce(match_fonts_hybrid.fusion, w.fusion),
           coalesce(match_fonts_hybrid.full_text_weight, w.full_text_weight)
      into alpha, fusion, full_text_weight from font_index.serving_weights() w;
  end if;
  perform font_index.check_search(query_embedding, query_embedding_vl, match_threshold, match_count, match_offset,
    query_text, alpha, full_text_weight, candidates, rrf_k, fusion, normalization, strategy, is_owner);
  last := match_offset + match_count;  -- both are in bounds now
  query := font_index.weigh(query_embedding, query_embedding_vl, query_text, alpha, full_text_weight, fusion,
    normalization, coalesce(candidates, 200), rrf_k);  -- by match_offset, pages would be of different lists
  -- Answers that end within the first 20, 40, 80, … fonts come from the same candidates: pages are parts of one list.
  while horizon < last loop
    horizon := 2 * horizon;
  end loop;
  found := font_index.propose(query, condition, coalesce(filter, '{}') - 'exclude' - 'collapse' <> '{}', strategy,
    horizon, greatest(coalesce(candidates, 1000), last), match_threshold, is_owner);
  -- only the first `horizon` fonts are likely to be the best: they may be of fewer designs than are asked for
  crowded := collapse and found.exactness = 'likely' and query.fusion = 'convex';
  return query
    with scored as (
      select s.*, row_number() over (order by s.score desc, s.id) as position,
             case when collapse then row_number() over (
               partition by coalesce((select f.design from public.fonts f where f.id = s.id), s.id::text)
               order by s.score desc, s.id) end as place
        from font_index.score(query, found.fonts) s
       where s.score > coalesce(match_threshold, '-infinity')
    ),
    best as (
      select * from scored where coalesce(place, 1) = 1
       order by score desc, id limit match_count offset match_offset
    )
    select f.id, f.name, f.category, f.description, f.tags, f.source, f.files, b.score, b.text_similarity,
           b.text_rank, b.vl_similarity, b.vl_rank, b.words_similarity, b.words_rank,
           case when crowded and (select count(*) from scored) >= horizon
             and (select count(*) from scored where place = 1 and position <= horizon) < last
             then 'unproven' else found.exactness end
      from best b
      join public.fonts f on f.id = b.id
     order by b.score desc, b.id;
end
$$;

--
-- Name: FUNCTION match_fonts_hybrid(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, query_text text, alpha double precision, fusion text, candidates integer, filter jsonb, match_offset integer, full_text_weight double precision, normalization text, rrf_k integer, strategy text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.match_fonts_hybrid(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, query_text text, alpha double precision, fusion text, candidates integer, filter jsonb, match_offset integer, full_text_weight double precision, normalization text, rrf_k integer, strategy text) IS 'Fonts whose fused score exceeds match_threshold, best first, ties by id. Legs: text vector, appearance vector (vl), words; one that is null takes no weight. alpha, fusion and full_text_weight that are null are those deployed for the serving spaces. fusion convex: score = full_text_weight * words + (1 - full_text_weight) * (alpha * text + (1 - alpha) * vl), each vector leg as it is (raw), by its range (min_max) or by its spread (z_score) over 200 fonts; words = r / (r + 0.1) for a ts_rank of r (raw), or their share of the best. fusion rrf: the same weights over rrf_k + rank, where the rank is within candidates (200 by default). Similarities are cosines, and ts_rank for the words; ranks count among the fonts that were scored. exactness: scanned = every font that passes the filter was scored; likely = no font that the index has yet to bring is likely to reach these; unproven = candidates was reached first, or too few designs to collapse them.';

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
  alpha := coalesce(alpha, 0);
  select f.name, f.embedding, f.embedding_vl into font from public.fonts f where f.id = font_id;
  if not found then
    raise exception 'there is no font with the id %', coalesce(font_id::text, 'null') using errcode = '22023';
  end if;
  if alpha < 1 and font.embedding_vl is null or alpha > 0 and font.embedding is null then
    raise exception 'the font % has no % vector yet', left(font.name, 100),
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
      fusion => 'convex',
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
-- Name: deployed_weights; Type: TABLE; Schema: font_index; Owner: -
--

CREATE TABLE font_index.deployed_weights (
    id bigint NOT NULL,
    text_space text,
    vl_space text,
    alpha double precision NOT NULL,
    fusion text NOT NULL,
    full_text_weight double precision NOT NULL,
    evidence jsonb NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT deployed_weights_alpha_check CHECK (((alpha >= (0)::double precision) AND (alpha <= (1)::double precision))),
    CONSTRAINT deployed_weights_check CHECK ((num_nonnulls(text_space, vl_space) > 0)),
    CONSTRAINT deployed_weights_full_text_weight_check CHECK (((full_text_weight >= (0)::double precision) AND (full_text_weight <= (1)::double precision))),
    CONSTRAINT deployed_weights_fusion_check CHECK ((fusion = ANY (ARRAY['convex'::text, 'rrf'::text])))
);

--
-- Name: TABLE deployed_weights; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON TABLE font_index.deployed_weights IS 'What match_fonts_hybrid takes for alpha, fusion and full_text_weight while this pair of spaces serves; of several rows for a pair the last one. evidence says which evaluation chose them.';

--
-- Name: deployed_weights_id_seq; Type: SEQUENCE; Schema: font_index; Owner: -
--

ALTER TABLE font_index.deployed_weights ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME font_index.deployed_weights_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

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
-- Name: facts; Type: TABLE; Schema: font_index; Owner: -
--

CREATE TABLE font_index.facts (
    font_id uuid NOT NULL,
    version text NOT NULL,
    input_hash bytea NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: TABLE facts; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON TABLE font_index.facts IS 'One row per font whose coverage, styles and design are up to date for this version and for the name, source and files that input_hash is made from. What is null in public.fonts all the same cannot be known from these.';

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
-- Name: looks; Type: TABLE; Schema: font_index; Owner: -
--

CREATE TABLE font_index.looks (
    subject text NOT NULL,
    basis bytea NOT NULL,
    since xid8 NOT NULL,
    files bigint NOT NULL,
    unsettled uuid[] NOT NULL,
    written_by xid8 DEFAULT pg_current_xact_id() NOT NULL
);

--
-- Name: TABLE looks; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON TABLE font_index.looks IS 'The last look at all fonts, for a space or for the facts: rows that transactions before `since` have written are up to date, but for those of the unsettled fonts. `basis` is a hash of what this relies on: the query, this server, the columns of public.fonts; `files` one of all addresses and their contents. A row that was restored from a dump counts for nothing: another transaction than written_by has written it. Deleting rows costs one full comparison.';

--
-- Name: missing_fonts; Type: TABLE; Schema: font_index; Owner: -
--

CREATE TABLE font_index.missing_fonts (
    font_id uuid NOT NULL,
    first_missed_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: TABLE missing_fonts; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON TABLE font_index.missing_fonts IS 'Fonts that are no longer in public.fonts, and when a run first missed them. What stands in embeddings, failures, facts and leases for one is swept by a run a day later at the earliest; one that comes back keeps all of it.';

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
-- Name: switches; Type: TABLE; Schema: font_index; Owner: -
--

CREATE TABLE font_index.switches (
    only_one boolean DEFAULT true NOT NULL,
    leg text NOT NULL,
    space_id text,
    phase text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT switches_leg_check CHECK ((leg = ANY (ARRAY['text'::text, 'vl'::text]))),
    CONSTRAINT switches_only_one_check CHECK (only_one),
    CONSTRAINT switches_phase_check CHECK ((phase = ANY (ARRAY['coming'::text, 'leaving'::text])))
);

--
-- Name: TABLE switches; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON TABLE font_index.switches IS 'The switch that is under way: of which leg and space the columns embedding_next, embedding_vl_next and embedding_joint_next of public.fonts hold vectors. coming: copies of a space that is to serve; leaving: of the one that served, null where none did, which go back to embeddings. They are null where there is no row here.';

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
    embedding_joint extensions.halfvec(2050),
    coverage int4multirange,
    styles jsonb,
    design text,
    embedding_next extensions.vector(4096),
    embedding_vl_next extensions.halfvec(4096),
    embedding_joint_next extensions.halfvec(2050)
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
-- Name: COLUMN fonts.coverage; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.fonts.coverage IS 'Code points that the family has glyphs for; null where unknown. By its files where they are local; else by its listing''s unicode ranges, which hold whole blocks: the letters of its scripts are there, a rare sign of a block need not be.';

--
-- Name: COLUMN fonts.styles; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.fonts.styles IS 'Styles of the whole family: weights (static ones, sorted), italic (or slanted), axes (tags, sorted), weight (from, to; static and variable), width (from, to; percent). A key is absent, or all of it null, where unknown.';

--
-- Name: COLUMN fonts.design; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.fonts.design IS 'The same for near-duplicates: one design in several scripts, sizes or versions. Made from the name.';

--
-- Name: COLUMN fonts.embedding_next; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.fonts.embedding_next IS 'Null, but during a switch of the text space: see font_index.switches.';

--
-- Name: COLUMN fonts.embedding_vl_next; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.fonts.embedding_vl_next IS 'Null, but during a switch of the appearance space: see font_index.switches.';

--
-- Name: COLUMN fonts.embedding_joint_next; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.fonts.embedding_joint_next IS 'Null, but during a switch: what embedding_joint will be, or was.';

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
-- Name: deployed_weights deployed_weights_pkey; Type: CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.deployed_weights
    ADD CONSTRAINT deployed_weights_pkey PRIMARY KEY (id);

--
-- Name: embeddings embeddings_pkey; Type: CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.embeddings
    ADD CONSTRAINT embeddings_pkey PRIMARY KEY (space_id, font_id);

--
-- Name: facts facts_pkey; Type: CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.facts
    ADD CONSTRAINT facts_pkey PRIMARY KEY (font_id);

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
-- Name: looks looks_pkey; Type: CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.looks
    ADD CONSTRAINT looks_pkey PRIMARY KEY (subject);

--
-- Name: missing_fonts missing_fonts_pkey; Type: CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.missing_fonts
    ADD CONSTRAINT missing_fonts_pkey PRIMARY KEY (font_id);

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
-- Name: switches switches_pkey; Type: CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.switches
    ADD CONSTRAINT switches_pkey PRIMARY KEY (only_one);

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
-- Name: deployed_weights_text_space; Type: INDEX; Schema: font_index; Owner: -
--

CREATE INDEX deployed_weights_text_space ON font_index.deployed_weights USING btree (text_space);

--
-- Name: INDEX deployed_weights_text_space; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON INDEX font_index.deployed_weights_text_space IS 'For the foreign key.';

--
-- Name: deployed_weights_vl_space; Type: INDEX; Schema: font_index; Owner: -
--

CREATE INDEX deployed_weights_vl_space ON font_index.deployed_weights USING btree (vl_space);

--
-- Name: INDEX deployed_weights_vl_space; Type: COMMENT; Schema: font_index; Owner: -
--

COMMENT ON INDEX font_index.deployed_weights_vl_space IS 'For the foreign key.';

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
-- Name: deployed_weights deployed_weights_text_space_fkey; Type: FK CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.deployed_weights
    ADD CONSTRAINT deployed_weights_text_space_fkey FOREIGN KEY (text_space) REFERENCES font_index.spaces(id);

--
-- Name: deployed_weights deployed_weights_vl_space_fkey; Type: FK CONSTRAINT; Schema: font_index; Owner: -
--

ALTER TABLE ONLY font_index.deployed_weights
    ADD CONSTRAINT deployed_weights_vl_space_fkey FOREIGN KEY (vl_space) REFERENCES font_index.spaces(id);

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
-- Name: FUNCTION any_word(query_text text); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.any_word(query_text text) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.any_word(query_text text) TO anon;
GRANT ALL ON FUNCTION font_index.any_word(query_text text) TO authenticated;
GRANT ALL ON FUNCTION font_index.any_word(query_text text) TO service_role;

--
-- Name: FUNCTION check_filter(filter jsonb); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.check_filter(filter jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.check_filter(filter jsonb) TO anon;
GRANT ALL ON FUNCTION font_index.check_filter(filter jsonb) TO authenticated;
GRANT ALL ON FUNCTION font_index.check_filter(filter jsonb) TO service_role;

--
-- Name: FUNCTION check_search(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, match_offset integer, query_text text, alpha double precision, full_text_weight double precision, candidates integer, rrf_k integer, fusion text, normalization text, strategy text, is_owner boolean); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.check_search(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, match_offset integer, query_text text, alpha double precision, full_text_weight double precision, candidates integer, rrf_k integer, fusion text, normalization text, strategy text, is_owner boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.check_search(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, match_offset integer, query_text text, alpha double precision, full_text_weight double precision, candidates integer, rrf_k integer, fusion text, normalization text, strategy text, is_owner boolean) TO anon;
GRANT ALL ON FUNCTION font_index.check_search(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, match_offset integer, query_text text, alpha double precision, full_text_weight double precision, candidates integer, rrf_k integer, fusion text, normalization text, strategy text, is_owner boolean) TO authenticated;
GRANT ALL ON FUNCTION font_index.check_search(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, match_threshold double precision, match_count integer, match_offset integer, query_text text, alpha double precision, full_text_weight double precision, candidates integer, rrf_k integer, fusion text, normalization text, strategy text, is_owner boolean) TO service_role;

--
-- Name: FUNCTION code_points(characters text); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.code_points(characters text) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.code_points(characters text) TO anon;
GRANT ALL ON FUNCTION font_index.code_points(characters text) TO authenticated;
GRANT ALL ON FUNCTION font_index.code_points(characters text) TO service_role;

--
-- Name: FUNCTION fill_up(query font_index.search_query, condition text, horizon integer); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.fill_up(query font_index.search_query, condition text, horizon integer) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.fill_up(query font_index.search_query, condition text, horizon integer) TO anon;
GRANT ALL ON FUNCTION font_index.fill_up(query font_index.search_query, condition text, horizon integer) TO authenticated;
GRANT ALL ON FUNCTION font_index.fill_up(query font_index.search_query, condition text, horizon integer) TO service_role;

--
-- Name: FUNCTION filter_condition(filter jsonb); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.filter_condition(filter jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.filter_condition(filter jsonb) TO anon;
GRANT ALL ON FUNCTION font_index.filter_condition(filter jsonb) TO authenticated;
GRANT ALL ON FUNCTION font_index.filter_condition(filter jsonb) TO service_role;

--
-- Name: FUNCTION filter_strings(filter jsonb, path text[]); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.filter_strings(filter jsonb, path text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.filter_strings(filter jsonb, path text[]) TO anon;
GRANT ALL ON FUNCTION font_index.filter_strings(filter jsonb, path text[]) TO authenticated;
GRANT ALL ON FUNCTION font_index.filter_strings(filter jsonb, path text[]) TO service_role;

--
-- Name: FUNCTION has_joint_index(required boolean); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.has_joint_index(required boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.has_joint_index(required boolean) TO anon;
GRANT ALL ON FUNCTION font_index.has_joint_index(required boolean) TO authenticated;
GRANT ALL ON FUNCTION font_index.has_joint_index(required boolean) TO service_role;

--
-- Name: FUNCTION is_settled(query font_index.search_query, nearest font_index.scored_font[], nearest_with_words font_index.scored_font[], by_words font_index.scored_font[], horizon integer, match_threshold double precision); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.is_settled(query font_index.search_query, nearest font_index.scored_font[], nearest_with_words font_index.scored_font[], by_words font_index.scored_font[], horizon integer, match_threshold double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.is_settled(query font_index.search_query, nearest font_index.scored_font[], nearest_with_words font_index.scored_font[], by_words font_index.scored_font[], horizon integer, match_threshold double precision) TO anon;
GRANT ALL ON FUNCTION font_index.is_settled(query font_index.search_query, nearest font_index.scored_font[], nearest_with_words font_index.scored_font[], by_words font_index.scored_font[], horizon integer, match_threshold double precision) TO authenticated;
GRANT ALL ON FUNCTION font_index.is_settled(query font_index.search_query, nearest font_index.scored_font[], nearest_with_words font_index.scored_font[], by_words font_index.scored_font[], horizon integer, match_threshold double precision) TO service_role;

--
-- Name: FUNCTION joined(fonts font_index.scored_font[], others font_index.scored_font[]); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.joined(fonts font_index.scored_font[], others font_index.scored_font[]) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.joined(fonts font_index.scored_font[], others font_index.scored_font[]) TO anon;
GRANT ALL ON FUNCTION font_index.joined(fonts font_index.scored_font[], others font_index.scored_font[]) TO authenticated;
GRANT ALL ON FUNCTION font_index.joined(fonts font_index.scored_font[], others font_index.scored_font[]) TO service_role;

--
-- Name: FUNCTION joint_direction(query font_index.search_query, text_weight double precision, vl_weight double precision); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.joint_direction(query font_index.search_query, text_weight double precision, vl_weight double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.joint_direction(query font_index.search_query, text_weight double precision, vl_weight double precision) TO anon;
GRANT ALL ON FUNCTION font_index.joint_direction(query font_index.search_query, text_weight double precision, vl_weight double precision) TO authenticated;
GRANT ALL ON FUNCTION font_index.joint_direction(query font_index.search_query, text_weight double precision, vl_weight double precision) TO service_role;

--
-- Name: FUNCTION leg_scale(normalization text, sample double precision[], OUT zero double precision, OUT unit double precision); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.leg_scale(normalization text, sample double precision[], OUT zero double precision, OUT unit double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.leg_scale(normalization text, sample double precision[], OUT zero double precision, OUT unit double precision) TO anon;
GRANT ALL ON FUNCTION font_index.leg_scale(normalization text, sample double precision[], OUT zero double precision, OUT unit double precision) TO authenticated;
GRANT ALL ON FUNCTION font_index.leg_scale(normalization text, sample double precision[], OUT zero double precision, OUT unit double precision) TO service_role;

--
-- Name: FUNCTION propose(query font_index.search_query, condition text, filtered boolean, strategy text, horizon integer, deepest integer, match_threshold double precision, is_owner boolean); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.propose(query font_index.search_query, condition text, filtered boolean, strategy text, horizon integer, deepest integer, match_threshold double precision, is_owner boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.propose(query font_index.search_query, condition text, filtered boolean, strategy text, horizon integer, deepest integer, match_threshold double precision, is_owner boolean) TO anon;
GRANT ALL ON FUNCTION font_index.propose(query font_index.search_query, condition text, filtered boolean, strategy text, horizon integer, deepest integer, match_threshold double precision, is_owner boolean) TO authenticated;
GRANT ALL ON FUNCTION font_index.propose(query font_index.search_query, condition text, filtered boolean, strategy text, horizon integer, deepest integer, match_threshold double precision, is_owner boolean) TO service_role;

--
-- Name: FUNCTION propose_all(query font_index.search_query, condition text); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.propose_all(query font_index.search_query, condition text) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.propose_all(query font_index.search_query, condition text) TO anon;
GRANT ALL ON FUNCTION font_index.propose_all(query font_index.search_query, condition text) TO authenticated;
GRANT ALL ON FUNCTION font_index.propose_all(query font_index.search_query, condition text) TO service_role;

--
-- Name: FUNCTION propose_by_words(query font_index.search_query, condition text, at_most integer); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.propose_by_words(query font_index.search_query, condition text, at_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.propose_by_words(query font_index.search_query, condition text, at_most integer) TO anon;
GRANT ALL ON FUNCTION font_index.propose_by_words(query font_index.search_query, condition text, at_most integer) TO authenticated;
GRANT ALL ON FUNCTION font_index.propose_by_words(query font_index.search_query, condition text, at_most integer) TO service_role;

--
-- Name: FUNCTION propose_legs(query font_index.search_query, condition text); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.propose_legs(query font_index.search_query, condition text) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.propose_legs(query font_index.search_query, condition text) TO anon;
GRANT ALL ON FUNCTION font_index.propose_legs(query font_index.search_query, condition text) TO authenticated;
GRANT ALL ON FUNCTION font_index.propose_legs(query font_index.search_query, condition text) TO service_role;

--
-- Name: FUNCTION propose_nearest(query font_index.search_query, condition text, text_weight double precision, vl_weight double precision, at_most integer, horizon integer, match_threshold double precision); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.propose_nearest(query font_index.search_query, condition text, text_weight double precision, vl_weight double precision, at_most integer, horizon integer, match_threshold double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.propose_nearest(query font_index.search_query, condition text, text_weight double precision, vl_weight double precision, at_most integer, horizon integer, match_threshold double precision) TO anon;
GRANT ALL ON FUNCTION font_index.propose_nearest(query font_index.search_query, condition text, text_weight double precision, vl_weight double precision, at_most integer, horizon integer, match_threshold double precision) TO authenticated;
GRANT ALL ON FUNCTION font_index.propose_nearest(query font_index.search_query, condition text, text_weight double precision, vl_weight double precision, at_most integer, horizon integer, match_threshold double precision) TO service_role;

--
-- Name: FUNCTION score(query font_index.search_query, fonts font_index.scored_font[]); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.score(query font_index.search_query, fonts font_index.scored_font[]) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.score(query font_index.search_query, fonts font_index.scored_font[]) TO anon;
GRANT ALL ON FUNCTION font_index.score(query font_index.search_query, fonts font_index.scored_font[]) TO authenticated;
GRANT ALL ON FUNCTION font_index.score(query font_index.search_query, fonts font_index.scored_font[]) TO service_role;

--
-- Name: FUNCTION scored_statement(condition text); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.scored_statement(condition text) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.scored_statement(condition text) TO anon;
GRANT ALL ON FUNCTION font_index.scored_statement(condition text) TO authenticated;
GRANT ALL ON FUNCTION font_index.scored_statement(condition text) TO service_role;

--
-- Name: FUNCTION serving_weights(OUT alpha double precision, OUT fusion text, OUT full_text_weight double precision); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.serving_weights(OUT alpha double precision, OUT fusion text, OUT full_text_weight double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.serving_weights(OUT alpha double precision, OUT fusion text, OUT full_text_weight double precision) TO anon;
GRANT ALL ON FUNCTION font_index.serving_weights(OUT alpha double precision, OUT fusion text, OUT full_text_weight double precision) TO authenticated;
GRANT ALL ON FUNCTION font_index.serving_weights(OUT alpha double precision, OUT fusion text, OUT full_text_weight double precision) TO service_role;

--
-- Name: FUNCTION set_embedding_joint(); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.set_embedding_joint() FROM PUBLIC;

--
-- Name: FUNCTION set_fts(); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.set_fts() FROM PUBLIC;

--
-- Name: FUNCTION shares(query font_index.search_query, fonts font_index.scored_font[], best_words double precision); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.shares(query font_index.search_query, fonts font_index.scored_font[], best_words double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.shares(query font_index.search_query, fonts font_index.scored_font[], best_words double precision) TO anon;
GRANT ALL ON FUNCTION font_index.shares(query font_index.search_query, fonts font_index.scored_font[], best_words double precision) TO authenticated;
GRANT ALL ON FUNCTION font_index.shares(query font_index.search_query, fonts font_index.scored_font[], best_words double precision) TO service_role;

--
-- Name: FUNCTION style_condition(styles jsonb); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.style_condition(styles jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.style_condition(styles jsonb) TO anon;
GRANT ALL ON FUNCTION font_index.style_condition(styles jsonb) TO authenticated;
GRANT ALL ON FUNCTION font_index.style_condition(styles jsonb) TO service_role;

--
-- Name: FUNCTION trait_condition(traits jsonb); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.trait_condition(traits jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.trait_condition(traits jsonb) TO anon;
GRANT ALL ON FUNCTION font_index.trait_condition(traits jsonb) TO authenticated;
GRANT ALL ON FUNCTION font_index.trait_condition(traits jsonb) TO service_role;

--
-- Name: FUNCTION traits(); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.traits() FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.traits() TO anon;
GRANT ALL ON FUNCTION font_index.traits() TO authenticated;
GRANT ALL ON FUNCTION font_index.traits() TO service_role;

--
-- Name: FUNCTION weigh(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, query_text text, alpha double precision, full_text_weight double precision, fusion text, normalization text, rank_limit integer, rrf_k integer, OUT query font_index.search_query); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.weigh(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, query_text text, alpha double precision, full_text_weight double precision, fusion text, normalization text, rank_limit integer, rrf_k integer, OUT query font_index.search_query) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.weigh(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, query_text text, alpha double precision, full_text_weight double precision, fusion text, normalization text, rank_limit integer, rrf_k integer, OUT query font_index.search_query) TO anon;
GRANT ALL ON FUNCTION font_index.weigh(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, query_text text, alpha double precision, full_text_weight double precision, fusion text, normalization text, rank_limit integer, rrf_k integer, OUT query font_index.search_query) TO authenticated;
GRANT ALL ON FUNCTION font_index.weigh(query_embedding extensions.vector, query_embedding_vl extensions.halfvec, query_text text, alpha double precision, full_text_weight double precision, fusion text, normalization text, rank_limit integer, rrf_k integer, OUT query font_index.search_query) TO service_role;

--
-- Name: FUNCTION words_share(weight double precision, similarity double precision, best double precision); Type: ACL; Schema: font_index; Owner: -
--

REVOKE ALL ON FUNCTION font_index.words_share(weight double precision, similarity double precision, best double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION font_index.words_share(weight double precision, similarity double precision, best double precision) TO anon;
GRANT ALL ON FUNCTION font_index.words_share(weight double precision, similarity double precision, best double precision) TO authenticated;
GRANT ALL ON FUNCTION font_index.words_share(weight double precision, similarity double precision, best double precision) TO service_role;

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
