-- Facts about a whole family, where vectors and traits are of the one file that is drawn. They have a version of
-- their own, outside every space's identity, so filling them embeds nothing. Only expands: nullable columns, no
-- rewrite, no lock beyond a moment. No index: to scan 20,000 rows by coverage was faster than GiST.

set local search_path = extensions, public, pg_temp;

create table font_index.facts (
  font_id uuid primary key,
  version text not null,
  input_hash bytea not null,
  made_at timestamptz not null default now()
);
comment on table font_index.facts is
  'One row per font whose coverage, styles and design are up to date for this version and for the name, source and files that input_hash is made from. What is null in public.fonts all the same cannot be known from these.';

-- Last, for readers of the product wait from here to the commit.
alter table public.fonts
  add column coverage int4multirange,
  add column styles jsonb,
  add column design text;

comment on column public.fonts.coverage is
  'Code points that the family has glyphs for; null where unknown. By its files where they are local; else by its listing''s unicode ranges, which hold whole blocks: the letters of its scripts are there, a rare sign of a block need not be.';
comment on column public.fonts.styles is
  'Styles of the whole family: weights (static ones, sorted), italic (or slanted), axes (tags, sorted), weight (from, to; static and variable), width (from, to; percent). A key is absent, or all of it null, where unknown.';
comment on column public.fonts.design is
  'The same for near-duplicates: one design in several scripts, sizes or versions. Made from the name.';
