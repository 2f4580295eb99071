-- The product's schema as it runs in production. Adopted where it is there, created where it is not;
-- what is there is not touched.

set local search_path = extensions, public, pg_temp;

-- Supabase keeps extensions in a schema of their own; elsewhere `public` is usual.
do $$
begin
  if exists (select from pg_extension where extname = 'vector') then
    null;
  elsif exists (select from pg_namespace where nspname = 'extensions') then
    create extension vector with schema extensions;
  else
    create extension vector with schema public;
  end if;
end
$$;

do $$
declare
  installed text;
  stands_in name;
begin
  select e.extversion, n.nspname into installed, stands_in
    from pg_extension e join pg_namespace n on n.oid = e.extnamespace
   where e.extname = 'vector';
  if string_to_array(installed, '.')::int[] < array[0, 8] then
    raise exception 'pgvector % is too old: filtered search through an index needs the iterative scans of 0.8.0', installed
      using hint = 'Upgrade the server''s pgvector to 0.8.4 or later (on Supabase: Settings, Infrastructure, Upgrade project), then run "alter extension vector update" and migrate again.';
  end if;
  if stands_in not in ('extensions', 'public') then
    raise exception 'pgvector stands in the schema %, where search does not look for it', stands_in
      using hint = 'Run "alter extension vector set schema extensions" (or public) and migrate again.';
  end if;
end
$$;

do $$
declare
  -- the roles of Supabase's API, where they exist; its default privileges may have granted them everything
  visitors text := (select string_agg(rolname, ', ' order by rolname) from pg_roles
                     where rolname in ('anon', 'authenticated'));
  with_service boolean := exists (select from pg_roles where rolname = 'service_role');
begin
  if to_regclass('public.fonts') is null then
    create table public.fonts (
      id uuid primary key default gen_random_uuid(),
      name text not null unique,
      category text,
      description text,
      license text default 'OFL',
      embedding vector(4096),
      created_at timestamptz not null default now(),
      tags text[] default '{}',
      source text default 'Google Fonts',
      files jsonb default '{}'
    );
    -- anyone may read fonts; writing is left to roles that row-level security does not bind
    alter table public.fonts enable row level security;
    create policy "Fonts are readable by everyone" on public.fonts for select using (true);
    comment on table public.fonts is
      'One row per font family; files maps weights to addresses of font files.';
    comment on policy "Fonts are readable by everyone" on public.fonts is
      'Rows are public. Who may write is left to grants and to roles that row-level security does not bind.';
    if visitors is not null then
      execute 'revoke all on public.fonts from ' || visitors;
      execute 'grant select on public.fonts to ' || visitors;
    end if;
    if with_service then
      grant select, insert, update, delete on public.fonts to service_role;
    end if;
  end if;

  if to_regclass('public.searches') is null then
    create table public.searches (
      id uuid primary key default gen_random_uuid(),
      query_text text not null unique,
      embedding vector(4096),
      response_json jsonb not null,
      created_at timestamptz not null default now()
    );
    alter table public.searches enable row level security;  -- no policy: the service role alone
    comment on table public.searches is 'Answers to earlier queries, with the queries'' vectors.';
    if visitors is not null then
      execute 'revoke all on public.searches from ' || visitors;
    end if;
    if with_service then
      grant select, insert, update, delete on public.searches to service_role;
    end if;
  end if;
end
$$;

-- A table of that name that is not the product's is refused before anything is built on it.
do $$
declare
  missing text;
begin
  select string_agg(format('%s %s', wanted.column_name, wanted.column_type), ', ')
    into missing
    from (values ('id', 'uuid'), ('name', 'text'), ('category', 'text'), ('description', 'text'),
                 ('license', 'text'), ('embedding', 'vector(4096)'), ('tags', 'text[]'),
                 ('source', 'text'), ('files', 'jsonb')) as wanted (column_name, column_type)
   where not exists (
     select from pg_attribute a
      where a.attrelid = 'public.fonts'::regclass
        and a.attname = wanted.column_name
        and not a.attisdropped
        and replace(format_type(a.atttypid, a.atttypmod), 'extensions.', '') = wanted.column_type
   );
  if missing is not null then
    raise exception 'public.fonts is not the table that this project indexes: it lacks %', missing
      using hint = 'Point DATABASE_URL at the font database, or add these columns.';
  end if;
end
$$;

do $$
declare
  -- the roles of Supabase's API, where they exist; its default privileges may have granted them everything
  visitors text := (select string_agg(rolname, ', ' order by rolname) from pg_roles
                     where rolname in ('anon', 'authenticated'));
  with_service boolean := exists (select from pg_roles where rolname = 'service_role');
begin
  if to_regprocedure('public.match_fonts(vector, double precision, integer)') is null then
    create function public.match_fonts(
      query_embedding vector(4096),
      match_threshold float,
      match_count int
    )
    returns table (
      name text,
      category text,
      description text,
      tags text[],
      source text,
      files jsonb,
      similarity float
    )
    language sql stable
    set search_path = extensions, public, pg_temp
    as $function$
      select f.name, f.category, f.description, f.tags, f.source, f.files,
             1 - (f.embedding <=> query_embedding) as similarity
        from public.fonts f
       where 1 - (f.embedding <=> query_embedding) > match_threshold
       order by f.embedding <=> query_embedding, f.id
       limit match_count
    $function$;
    comment on function public.match_fonts(vector, float, int) is
      'Fonts whose text vector has a cosine above match_threshold with the query''s, best first.';
    revoke all on function public.match_fonts(vector, float, int) from public;
    if visitors is not null then
      execute 'grant execute on function public.match_fonts(vector, float, int) to ' || visitors;
    end if;
    if with_service then
      grant execute on function public.match_fonts(vector, float, int) to service_role;
    end if;
  end if;

  if to_regprocedure('public.match_searches(vector, double precision)') is null then
    create function public.match_searches(
      query_embedding vector(4096),
      match_threshold float
    )
    returns table (
      response_json jsonb,
      similarity float
    )
    language sql stable
    set search_path = extensions, public, pg_temp
    as $function$
      select s.response_json, 1 - (s.embedding <=> query_embedding) as similarity
        from public.searches s
       where 1 - (s.embedding <=> query_embedding) > match_threshold
       order by s.embedding <=> query_embedding, s.id
       limit 1
    $function$;
    comment on function public.match_searches(vector, float) is
      'The answer to the earlier query nearest to this one, if its cosine is above match_threshold.';
    revoke all on function public.match_searches(vector, float) from public;
    if visitors is not null then
      execute 'revoke all on function public.match_searches(vector, float) from ' || visitors;
    end if;
    if with_service then
      grant execute on function public.match_searches(vector, float) to service_role;
    end if;
  end if;
end
$$;
