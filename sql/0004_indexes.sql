-- The indexes that propose candidates. A concurrent build cannot stand in a transaction, so each
-- statement runs on its own; a blank line ends it.

set search_path = extensions, public, pg_temp;

-- `if not exists` below would take an invalid index, which no query uses, for the real one.
do $$
declare
  invalid text;
begin
  select string_agg('public.' || c.relname, ', ') into invalid
    from pg_index i join pg_class c on c.oid = i.indexrelid
   where i.indrelid = 'public.fonts'::regclass and not i.indisvalid
     and c.relname in ('fonts_embedding_joint_hnsw', 'fonts_fts_gin');
  if invalid is not null then
    raise exception 'an interrupted build has left an index behind that is not valid: %', invalid
      using hint = format('Run "drop index concurrently %s", then this again.', invalid);
  end if;
end
$$;

-- A graph that outgrows the memory is built many times slower; it takes some 8 KB a font.
select set_config('maintenance_work_mem', greatest(
    pg_size_bytes(current_setting('maintenance_work_mem')),
    least(8192 * count(*), pg_size_bytes('2GB'))) / 1024 || 'kB', false)
  from public.fonts where embedding_joint is not null;

create index concurrently if not exists fonts_embedding_joint_hnsw
  on public.fonts using hnsw (embedding_joint halfvec_cosine_ops);

comment on index public.fonts_embedding_joint_hnsw is 'Proposes candidates of both vector legs, for any weights.';

create index concurrently if not exists fonts_fts_gin on public.fonts using gin (fts);

comment on index public.fonts_fts_gin is 'Proposes candidates of the full-text leg.';

reset maintenance_work_mem;

reset search_path;
