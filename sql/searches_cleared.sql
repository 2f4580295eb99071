-- Optional, and not run by a migration: your app's cache of searches is cleared whenever other vectors or weights begin
-- to serve, in the same transaction. Run it as the owner of the tables.

create function public.clear_searches()
returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  delete from public.searches where true;
  return null;
end
$$;
revoke all on function public.clear_searches() from public, anon, authenticated;

create trigger clear_searches after insert or update of state on font_index.spaces
  for each row when (new.state = 'active') execute function public.clear_searches();
create trigger clear_searches after insert or update or delete on font_index.deployed_weights
  for each statement execute function public.clear_searches();
