-- Which fonts are scored: all that pass the filter where they are few, else what the index and the words propose.

set local search_path = public, extensions;

create function font_index.is_settled(
  query font_index.search_query,
  nearest font_index.scored_font[],
  nearest_with_words font_index.scored_font[],
  by_words font_index.scored_font[],
  horizon int,
  match_threshold float
)
returns boolean
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
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
comment on function font_index.is_settled is
  'Whether no font that has yet to come is likely to be among the best `horizon`: nearest came in the order of the index, nearest_with_words in that of those that have any of the words, by_words in that of the words.';

create function font_index.scored_statement(condition text)
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select format(
    'select f.id, nullif(1 - (f.embedding <=> $1), ''NaN''), nullif(1 - (f.embedding_vl <=> $2), ''NaN''),'
    ' case when f.fts @@ $3 then ts_rank(f.fts, $3)::float end'
    ' from public.fonts f where %s', condition)
$$;
comment on function font_index.scored_statement is
  'A statement for rows f of public.fonts as scored_font: $1 is the text vector, $2 the vl vector, $3 the words.';

create function font_index.propose_nearest(
  query font_index.search_query,
  condition text,
  text_weight float,
  vl_weight float,
  at_most int,
  horizon int,
  match_threshold float
)
returns font_index.proposal
language plpgsql stable
set search_path = extensions, public, pg_temp
as $$
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
$$;
comment on function font_index.propose_nearest is
  'Fonts as the index fonts_embedding_joint_hnsw brings them, scored as they arrive, and those that have any of the words: until the best `horizon` of them are likely to stay the best, or at_most came (horizon null: at_most of them, and no words). exactness is null where the index ended before that.';

create function font_index.joined(fonts font_index.scored_font[], others font_index.scored_font[])
returns font_index.scored_font[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select fonts || array(
    select o from unnest(others) o where o.id <> all (array(select f.id from unnest(fonts) f)))
$$;
comment on function font_index.joined is 'The fonts of both lists, each once.';

create function font_index.propose_by_words(query font_index.search_query, condition text, at_most int)
returns font_index.scored_font[]
language plpgsql stable
set search_path = extensions, public, pg_temp
as $$
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
$$;
comment on function font_index.propose_by_words is 'The fonts that the words fit best, at most so many, the best first.';

create function font_index.propose_all(query font_index.search_query, condition text)
returns font_index.scored_font[]
language plpgsql stable
set search_path = extensions, public, pg_temp
as $$
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
comment on function font_index.propose_all is 'Every font that passes the filter.';

create function font_index.propose(
  query font_index.search_query,
  condition text,
  filtered boolean,
  strategy text,
  horizon int,
  deepest int,
  match_threshold float,
  is_owner boolean
)
returns font_index.proposal
language plpgsql stable
set search_path = extensions, public, pg_temp
as $$
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
comment on function font_index.propose is
  'The fonts that are ranked: all that pass the filter where they are few, else what the index and the words propose.';

create function font_index.fill_up(query font_index.search_query, condition text, horizon int)
returns font_index.proposal
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  by_words constant font_index.scored_font[] := font_index.propose_by_words(query, condition, 4 * horizon);
begin
  return row(font_index.joined(by_words, font_index.propose_all(
    query, format('%s order by f.id limit %L', condition, 4 * horizon))), 'likely')::font_index.proposal;
end
$$;
comment on function font_index.fill_up is
  'Where words weigh all: the fonts that they fit, and then the first by id, which score 0.';

create function font_index.propose_legs(query font_index.search_query, condition text)
returns font_index.proposal
language plpgsql stable
set search_path = extensions, public, pg_temp
as $$
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
comment on function font_index.propose_legs is
  'The fonts that the words fit best and the nearest of each leg, as far as its ranks count: for fusion by ranks.';

create function font_index.has_joint_index(required boolean)
returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
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
comment on function font_index.has_joint_index is
  'Whether the index on fonts.embedding_joint can be asked. Raises SQLSTATE 55000 where it is required and cannot.';
