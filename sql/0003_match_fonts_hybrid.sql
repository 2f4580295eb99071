-- Fonts by what is said about them and by what they look like, fused per query.

set local search_path = public, extensions;

create function public.match_fonts_hybrid(
  query_embedding vector(4096),
  query_embedding_vl halfvec(4096),
  match_threshold float,
  match_count int,
  alpha float default 0.5
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
  vl_rank bigint
)
language plpgsql stable security invoker
set search_path = extensions, public, pg_temp
as $$
-- the names of the answer's columns are also columns of the table
#variable_conflict use_column
declare
  text_weight float := case
    when query_embedding_vl is null then 1
    when query_embedding is null then 0
    else alpha
  end;
begin
  if query_embedding is null and query_embedding_vl is null then
    raise exception 'match_fonts_hybrid needs query_embedding, query_embedding_vl or both'
      using errcode = '22023', hint = 'Embed the query first; pass null for a leg that is not available.';
  end if;
  -- a function's arguments lose their dimension, so it is checked here
  if vector_dims(query_embedding) <> 4096 or vector_dims(query_embedding_vl) <> 4096 then
    raise exception 'a query vector has the wrong dimension: 4096 is needed'
      using errcode = '22023', hint = 'Pad shorter vectors with zeros; that leaves their cosines unchanged.';
  end if;
  if vector_norm(query_embedding) = 0 or l2_norm(query_embedding_vl) = 0 then
    raise exception 'a query vector is all zeros and has no direction'
      using errcode = '22023', hint = 'Pass null for a leg that is not available.';
  end if;
  if alpha is null or alpha < 0 or alpha > 1 then
    raise exception 'alpha must lie between 0 and 1, not %', coalesce(alpha::text, 'null')
      using errcode = '22023', hint = '1 ranks by text alone, 0 by appearance alone.';
  end if;
  if match_count is null or match_count < 1 or match_count > 200 then
    raise exception 'match_count must lie between 1 and 200, not %', coalesce(match_count::text, 'null')
      using errcode = '22023';
  end if;

  return query
  with similarities as (
    select f.id,
           -- a stored vector of zeros has no direction: its cosine is NaN, which would sort first
           nullif(1 - (f.embedding <=> query_embedding), 'NaN') as text_similarity,
           nullif(1 - (f.embedding_vl <=> query_embedding_vl), 'NaN') as vl_similarity
      from public.fonts f
  ),
  ranked as (
    select s.id, s.text_similarity, s.vl_similarity,
           -- a font that lacks one vector stands where an unrelated one would: at cosine 0
           text_weight * coalesce(s.text_similarity, 0)
             + (1 - text_weight) * coalesce(s.vl_similarity, 0) as score,
           rank() over (order by s.text_similarity desc nulls last) as text_rank,
           rank() over (order by s.vl_similarity desc nulls last) as vl_rank
      from similarities s
     where s.text_similarity is not null or s.vl_similarity is not null
  )
  select f.id, f.name, f.category, f.description, f.tags, f.source, f.files,
         r.score,
         r.text_similarity, case when r.text_similarity is not null then r.text_rank end,
         r.vl_similarity, case when r.vl_similarity is not null then r.vl_rank end
    from ranked r
    join public.fonts f on f.id = r.id
   where r.score > coalesce(match_threshold, '-infinity')
   order by r.score desc, r.id
   limit match_count;
end
$$;

comment on function public.match_fonts_hybrid is
  'The fonts whose fused score exceeds match_threshold, best first, ties by id. score = alpha * cosine of the text vectors + (1 - alpha) * cosine of the appearance vectors; with one query vector null, the other counts alone. Each leg''s cosine and its rank in the whole table say why a font is where it is.';

revoke all on function public.match_fonts_hybrid from public;

do $$
declare
  api_role name;
begin
  foreach api_role in array array['anon', 'authenticated', 'service_role'] loop
    if exists (select from pg_roles where rolname = api_role) then
      execute format('grant execute on function public.match_fonts_hybrid to %I', api_role);
    end if;
  end loop;
end
$$;

notify pgrst, 'reload schema';
