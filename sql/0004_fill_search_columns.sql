-- The search columns of the rows that were there before their triggers. In batches, each a transaction of its own, so
-- that a writer waits for one batch at most. Rows that another transaction has locked are passed over and
-- come again: nothing here waits for a row while it holds others, so it cannot be one half of a deadlock.
do $$
declare
  filled bigint;
  waits int := 0;
begin
  loop
    -- writing these columns wakes our triggers and none of the product's that watches what a font is called
    with batch as materialized (
      select id from public.fonts
       where fts is null or embedding_joint is null and num_nonnulls(embedding, embedding_vl) > 0
       limit 500 for no key update skip locked
    )
    update public.fonts f set fts = null, embedding_joint = null from batch where f.id = batch.id;
    get diagnostics filled = row_count;
    commit;
    if filled > 0 then
      waits := 0;
      continue;
    end if;
    exit when not exists (
      select from public.fonts
       where fts is null or embedding_joint is null and num_nonnulls(embedding, embedding_vl) > 0);
    if waits = 20 then
      raise exception 'rows of public.fonts stay locked by another transaction'
        using errcode = 'lock_not_available', hint = 'Nothing is lost. Let that transaction end, then run this again.';
    end if;
    waits := waits + 1;
    perform pg_sleep(0.1);
  end loop;
end
$$;
