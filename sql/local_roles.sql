-- The roles of Supabase's API, for a local database: PostgREST connects as authenticator and
-- becomes one of the others. Passwords here open nothing but a database on 127.0.0.1.
create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
create role authenticator login noinherit password 'authenticator';
grant anon, authenticated, service_role to authenticator;
grant usage on schema public to anon, authenticated, service_role;
