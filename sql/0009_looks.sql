-- What a run has found up to date need not be hashed again by the next one: only rows that were written since.

set local search_path = pg_catalog, pg_temp;

create table font_index.looks (
  subject text primary key,
  basis bytea not null,
  since xid8 not null,
  files bigint not null,
  unsettled uuid[] not null,
  written_by xid8 not null default pg_current_xact_id()
);
comment on table font_index.looks is
  'The last look at all fonts, for a space or for the facts: rows that transactions before `since` have written are up to date, but for those of the unsettled fonts. `basis` is a hash of what this relies on: the query, this server, the columns of public.fonts; `files` one of all addresses and their contents. A row that was restored from a dump counts for nothing: another transaction than written_by has written it. Deleting rows costs one full comparison.';
