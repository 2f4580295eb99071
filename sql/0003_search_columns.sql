-- What search looks things up by: words, and both vectors in short. Kept up to date by triggers. Not generated
-- columns: adding one rewrites the table under a lock that stops every reader. Rows that are there are filled by
-- the next revision.

set local search_path = extensions, public, pg_temp;

-- Both run as whoever writes the row: the product's roles need no right on the private schema for it.
create function font_index.set_fts()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  -- a tsvector holds 1 MB at most, and the product's insert must not fail for it
  new.fts := setweight(to_tsvector('english', left(coalesce(new.name, ''), 10000)), 'A')
    || setweight(to_tsvector('english', left(coalesce(new.category, ''), 10000)), 'B')
    || setweight(to_tsvector('english', left(coalesce(array_to_string(new.tags, ' '), ''), 10000)), 'B')
    || setweight(to_tsvector('english', left(coalesce(new.description, ''), 50000)), 'C');
  return new;
end
$$;

comment on function font_index.set_fts is 'Keeps fonts.fts in step with what it is made from.';

-- HNSW takes halfvec up to 4000 dimensions, and the first ones of a Matryoshka model rank nearly as all 4096 do.
-- Side by side, both legs are one vector, whose nearest to (alpha * text, (1 - alpha) * vl) are the best of the
-- weighted sum, for every alpha. Two indexes would have to be asked much deeper for the same: a font that is good
-- on both legs need not be among the first of either. Two more dimensions stand for an absent leg: so all rows have
-- the same length, and their order by cosine is that by the sum.
create function font_index.set_embedding_joint()
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

revoke all on function font_index.set_fts, font_index.set_embedding_joint from public;

-- Last, for readers of the product wait from here to the commit.
alter table public.fonts
  add column fts tsvector,
  add column embedding_joint halfvec(2050);

comment on column public.fonts.fts is
  'Words of name (weight A), category and tags (B) and description (C), for the full-text leg of match_fonts_hybrid.';
comment on column public.fonts.embedding_joint is
  'The first 1024 dimensions of embedding and of embedding_vl side by side, each of length 1, or zeros where there is none; then, for each, 1 where there is none: by it the index fonts_embedding_joint_hnsw proposes candidates.';

-- also where the column itself is written: nobody can put it out of step, and setting it null brings it up to date
create trigger fonts_set_fts
  before insert or update of name, category, tags, description, fts on public.fonts
  for each row execute function font_index.set_fts();
create trigger fonts_set_embedding_joint
  before insert or update of embedding, embedding_vl, embedding_joint on public.fonts
  for each row execute function font_index.set_embedding_joint();

comment on trigger fonts_set_fts on public.fonts is
  'Writes fts whenever a row or one of the columns that it is made from is written.';
comment on trigger fonts_set_embedding_joint on public.fonts is
  'Writes embedding_joint whenever a row or one of its vectors is written.';
