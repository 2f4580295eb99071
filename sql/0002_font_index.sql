-- The vision-language vector and the measured traits beside the product's columns, and the private
-- schema of the indexing job. Only expands: nullable columns, no rewrite, no lock beyond a moment.

set local search_path = extensions, public, pg_temp;

revoke all on schema font_index from public;
-- No foreign key points to public.fonts: it would lock the product's rows, and forbid it to truncate. Rows
-- of fonts that are gone are swept by the next run.
comment on schema font_index is 'Bookkeeping of the font indexing job. Private: not for the API.';

create table font_index.spaces (
  id text primary key,
  leg text not null check (leg in ('text', 'vl')),
  identity jsonb not null,
  state text not null check (state in ('candidate', 'active', 'retired')),
  created_at timestamptz not null default now(),
  activated_at timestamptz
);
create unique index spaces_one_active_per_leg on font_index.spaces (leg) where state = 'active';
comment on index font_index.spaces_one_active_per_leg is 'Search never meets two spaces on one leg.';
comment on table font_index.spaces is
  'Embedding spaces. Vectors of two spaces are never compared; id is the hash of the identity: model, revision, dimension, instructions, sheet spec, text schema, pooled token.';

create table font_index.runs (
  id bigint generated always as identity primary key,
  space_id text not null references font_index.spaces,
  host text not null,
  process_id bigint not null,
  versions jsonb not null,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  outcome text not null default 'running' check (outcome in ('running', 'finished', 'failed', 'interrupted')),
  counts jsonb not null default '{}',
  timings jsonb not null default '{}'
);
create index runs_space_id on font_index.runs (space_id);
comment on index font_index.runs_space_id is 'For the foreign key.';
comment on table font_index.runs is 'One row per space that a command worked on; timings in seconds.';

create table font_index.files (
  url text primary key,
  sha256 text not null,
  size bigint not null,
  origin text not null,
  checked_at timestamptz not null default now()
);
comment on table font_index.files is 'What was last found behind a URL of fonts.files.';

create table font_index.embeddings (
  font_id uuid not null,
  space_id text not null references font_index.spaces,
  input_hash bytea not null,
  file_sha256 text,
  run_id bigint not null references font_index.runs,
  indexed_at timestamptz not null default now(),
  embedding vector(4096),
  vector_md5 text,
  primary key (space_id, font_id)
);
create index embeddings_run_id on font_index.embeddings (run_id);
comment on index font_index.embeddings_run_id is 'For the foreign key.';
comment on table font_index.embeddings is
  'One row per font and space: from which inputs its vector was made. The vector itself stands here for candidate and retired spaces, and in public.fonts (null here) for the active one. vector_md5 tells a text vector of ours from one that the product has put in its place.';

create table font_index.failures (
  font_id uuid not null,
  space_id text not null references font_index.spaces,
  input_hash bytea not null,
  file_sha256 text,
  stage text not null check (stage in ('fetch', 'open', 'render', 'measure', 'embed')),
  error text not null,
  attempts bigint not null,
  first_at timestamptz not null default now(),
  last_at timestamptz not null default now(),
  next_try_at timestamptz,
  primary key (space_id, font_id)
);
comment on table font_index.failures is
  'Fonts that could not be indexed as they are. next_try_at is null in quarantine: after the last attempt, until the font or its file changes.';

create table font_index.leases (
  font_id uuid not null,
  space_id text not null references font_index.spaces,
  run_id bigint not null references font_index.runs on delete cascade,
  expires_at timestamptz not null,
  primary key (space_id, font_id)
);
create index leases_run_id on font_index.leases (run_id);
comment on index font_index.leases_run_id is 'For the foreign key, and for the release of all leases of a run.';
comment on table font_index.leases is
  'Fonts that a run is working on. Rows, not session locks: they hold through a transaction pooler and expire with a dead worker.';

-- Last, for readers of the product wait from here to the commit.
alter table public.fonts
  add column embedding_vl halfvec(4096),
  add column traits jsonb;

comment on column public.fonts.embedding_vl is
  'What the font looks like: vector of the active space of leg ''vl'', zero-padded to 4096.';
comment on column public.fonts.traits is
  'Typographic measurements of the regular style; ratios, see the README. A key is absent where the font lacks the glyphs.';
