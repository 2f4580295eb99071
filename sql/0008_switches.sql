-- Room for the vectors of a space that is about to serve, and for an index on them, beside those that serve. A switch
-- exchanges the names of the columns and of the indexes, in a moment; no row is written by it, no index is missing.

set local search_path = extensions, public, pg_temp;

create table font_index.switches (
  only_one boolean primary key default true check (only_one),
  leg text not null check (leg in ('text', 'vl')),
  space_id text,
  phase text not null check (phase in ('coming', 'leaving')),
  started_at timestamptz not null default now()
);
comment on table font_index.switches is
  'The switch that is under way: of which leg and space the columns embedding_next, embedding_vl_next and embedding_joint_next of public.fonts hold vectors. coming: copies of a space that is to serve; leaving: of the one that served, null where none did, which go back to embeddings. They are null where there is no row here.';

-- As in 0003; with the name of a leg as its argument, of that leg's next vector, and into the next column.
create or replace function font_index.set_embedding_joint()
returns trigger
language plpgsql
set search_path = extensions, public, pg_temp
as $$
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

comment on function font_index.set_embedding_joint is
  'Keeps fonts.embedding_joint in step with the two vectors that it is made from; with a leg as its argument, fonts.embedding_joint_next, with the next vector of that leg.';

-- Last, for readers of the product wait from here to the commit.
alter table public.fonts
  add column embedding_next vector(4096),
  add column embedding_vl_next halfvec(4096),
  add column embedding_joint_next halfvec(2050);

comment on column public.fonts.embedding_next is
  'Null, but during a switch of the text space: see font_index.switches.';
comment on column public.fonts.embedding_vl_next is
  'Null, but during a switch of the appearance space: see font_index.switches.';
comment on column public.fonts.embedding_joint_next is
  'Null, but during a switch: what embedding_joint will be, or was.';
