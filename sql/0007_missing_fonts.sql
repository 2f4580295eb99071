-- A font that is gone may come back: a table is emptied and loaded again, a policy hides its rows. What the job knows
-- of it is swept only when it was missing for a day.

set local search_path = pg_catalog, pg_temp;

create table font_index.missing_fonts (
  font_id uuid primary key,
  first_missed_at timestamptz not null default now()
);
comment on table font_index.missing_fonts is
  'Fonts that are no longer in public.fonts, and when a run first missed them. What stands in embeddings, failures, facts and leases for one is swept by a run a day later at the earliest; one that comes back keeps all of it.';
