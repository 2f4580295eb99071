do $$
declare
  api_role name;
begin
  foreach api_role in array array['anon', 'authenticated', 'service_role'] loop
    if exists (select from pg_roles where rolname = api_role) then
      execute format('revoke usage on schema font_index from %I', api_role);
    end if;
  end loop;
end
$$;

drop function public.similar_fonts, public.match_fonts_hybrid, font_index.filter_condition;

notify pgrst, 'reload schema';
