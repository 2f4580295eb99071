drop trigger if exists fonts_set_embedding_joint_next on public.fonts;
alter table public.fonts drop column embedding_next, drop column embedding_vl_next, drop column embedding_joint_next;
drop table font_index.switches;

set local search_path = extensions, public, pg_temp;

-- As 0003 made it.
create or replace function font_index.set_embedding_joint()
returns trigger
language plpgsql
set search_path = extensions, public, pg_temp
as $$
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

comment on function font_index.set_embedding_joint is
  'Keeps fonts.embedding_joint in step with the two vectors that it is made from.';
