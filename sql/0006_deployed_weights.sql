-- The weights of search, chosen by an evaluation for a pair of serving spaces: a model can be changed without a release
-- of the app.

set local search_path = pg_catalog, pg_temp;

create table font_index.deployed_weights (
  id bigint generated always as identity primary key,
  text_space text references font_index.spaces,
  vl_space text references font_index.spaces,
  alpha float not null check (alpha between 0 and 1),
  fusion text not null check (fusion in ('convex', 'rrf')),
  full_text_weight float not null check (full_text_weight between 0 and 1),
  evidence jsonb not null,
  applied_at timestamptz not null default now(),
  check (num_nonnulls(text_space, vl_space) > 0)
);
create index deployed_weights_text_space on font_index.deployed_weights (text_space);
create index deployed_weights_vl_space on font_index.deployed_weights (vl_space);
comment on table font_index.deployed_weights is
  'What match_fonts_hybrid takes for alpha, fusion and full_text_weight while this pair of spaces serves; of several rows for a pair the last one. evidence says which evaluation chose them.';
comment on index font_index.deployed_weights_text_space is 'For the foreign key.';
comment on index font_index.deployed_weights_vl_space is 'For the foreign key.';

create function font_index.serving_weights(out alpha float, out fusion text, out full_text_weight float)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(d.alpha, 0.5), coalesce(d.fusion, 'convex'), coalesce(d.full_text_weight, 0.2)
    from (select max(id) filter (where leg = 'text') as text_space, max(id) filter (where leg = 'vl') as vl_space
            from font_index.spaces where state = 'active') serving
    left join lateral (
      select * from font_index.deployed_weights d
       where d.text_space is not distinct from serving.text_space and d.vl_space is not distinct from serving.vl_space
       order by d.id desc limit 1) d on true
$$;
comment on function font_index.serving_weights is
  'The deployed weights of the pair of spaces that serves now, or 0.5, convex and 0.2. Runs as its owner: its callers see these three values and nothing else of the schema.';
