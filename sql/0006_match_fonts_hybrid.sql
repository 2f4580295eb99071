-- Fonts by what is said about them, by what they look like and by words, fused per query.

set local search_path = public, extensions;

-- Only a session that has loaded pgvector lets others than superusers name its settings in a function.
do $$ begin perform '[1]'::vector; end $$;

create or replace function public.match_fonts_hybrid(
  query_embedding vector(4096) default null,
  query_embedding_vl halfvec(4096) default null,
  match_threshold float default null,
  match_count int default 10,
  query_text text default null,
  alpha float default null,
  fusion text default null,
  candidates int default null,
  filter jsonb default null,
  match_offset int default 0,
  full_text_weight float default null,
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
-- propose_nearest sets it by the size of the table; named here so that it is restored
set hnsw.ef_search = 270
-- HNSW gives as many rows as are asked for, not ef_search of them
set hnsw.iterative_scan = 'relaxed_order'
set hnsw.max_scan_tuples = 100000
set hnsw.scan_mem_multiplier = 4
as $$
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

comment on function public.match_fonts_hybrid is
  'Fonts whose fused score exceeds match_threshold, best first, ties by id. Legs: text vector, appearance vector (vl), words; one that is null takes no weight. alpha, fusion and full_text_weight that are null are those deployed for the serving spaces. fusion convex: score = full_text_weight * words + (1 - full_text_weight) * (alpha * text + (1 - alpha) * vl), each vector leg as it is (raw), by its range (min_max) or by its spread (z_score) over 200 fonts; words = r / (r + 0.1) for a ts_rank of r (raw), or their share of the best. fusion rrf: the same weights over rrf_k + rank, where the rank is within candidates (200 by default). Similarities are cosines, and ts_rank for the words; ranks count among the fonts that were scored. exactness: scanned = every font that passes the filter was scored; likely = no font that the index has yet to bring is likely to reach these; unproven = candidates was reached first, or too few designs to collapse them.';

create or replace function public.similar_fonts(
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

comment on function public.similar_fonts is
  'Neighbours of a font by what it looks like (alpha 0), by what is said about it (alpha 1) or by a mix, without itself; columns as of match_fonts_hybrid.';

do $$
declare
  ours text;
  api_role name;
begin
  for ours in
    select p.oid::regprocedure from pg_proc p
     where p.pronamespace = 'font_index'::regnamespace and p.prorettype <> 'trigger'::regtype
  loop
    execute format('revoke all on function %s from public', ours);
    foreach api_role in array array['anon', 'authenticated', 'service_role'] loop
      if exists (select from pg_roles where rolname = api_role) then
        -- called on behalf of the API's roles; the schema is not exposed and its tables stay closed to them
        execute format('grant execute on function %s to %I', ours, api_role);
      end if;
    end loop;
  end loop;
end
$$;

notify pgrst, 'reload schema';
