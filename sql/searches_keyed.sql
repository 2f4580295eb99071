-- Optional, and not run by a migration: answers in your app's cache of searches are found only while the spaces and
-- weights serve that made them; after a switch back they are found again. It redefines match_searches. Run it as the
-- owner of the tables. An upsert then names both columns: onConflict 'query_text,serving'.

set local search_path = public, extensions;

create function public.serving_search()
returns text
language sql stable security definer
set search_path = ''
as $$
  select concat_ws(' ',
    (select string_agg(s.id, ' ' order by s.leg) from font_index.spaces s where s.state = 'active'),
    (select w::text from font_index.serving_weights() w))
$$;
revoke all on function public.serving_search() from public, anon, authenticated;
grant execute on function public.serving_search() to service_role;

alter table public.searches add column serving text;  -- null: from before, answers nothing
alter table public.searches alter column serving set default public.serving_search();
alter table public.searches drop constraint searches_query_text_key;
alter table public.searches add unique (query_text, serving);

create or replace function public.match_searches(query_embedding vector(4096), match_threshold float)
returns table (response_json jsonb, similarity float)
language sql stable
set search_path = extensions, public, pg_temp
as $$
  select s.response_json, 1 - (s.embedding <=> query_embedding)
    from public.searches s
   where s.serving = public.serving_search() and 1 - (s.embedding <=> query_embedding) > match_threshold
   order by s.embedding <=> query_embedding, s.id
   limit 1
$$;
notify pgrst, 'reload schema';
