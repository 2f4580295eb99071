-- What `filter` of match_fonts_hybrid may say.

create function font_index.filter_condition(filter jsonb)
returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  trait_names constant text[] := array[
    'x_height', 'ascender', 'descender', 'width', 'o_proportion', 'contrast', 'stress', 'weight', 'ink', 'slant',
    'advance_spread', 'serifs', 'serif_weight', 'terminal_roundness', 'squareness', 'aperture', 'spacing',
    'a_storeys', 'g_storeys', 'joined', 'unicase', 'rectilinear', 'angularity', 'stepped', 'irregularity',
    'roughness', 'hollow', 'distinct', 'flourish', 'is_text', 'oldstyle_figures'];
  operators constant jsonb := '{"lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "eq": "=="}';
  example constant text :=
    'For example {"category": "serif", "tags": {"all": ["latin"]}, "traits": {"x_height": {"gte": 0.7}}}.';
  conditions text[] := array['true'];
  entry record;
  comparison record;
  items jsonb;
  strings text[];
begin
  if filter is null then
    return 'true';
  end if;
  if jsonb_typeof(filter) <> 'object' then
    raise exception 'filter must be an object, not %', jsonb_typeof(filter) using errcode = '22023', hint = example;
  end if;
  if jsonb_typeof(filter -> 'tags') <> 'object' or jsonb_typeof(filter -> 'traits') <> 'object' then
    raise exception 'filter.tags and filter.traits must be objects' using errcode = '22023', hint = example;
  end if;

  for entry in
    select e.key, e.value from jsonb_each(filter - 'tags' - 'traits') e
    union all
    select 'tags.' || e.key, e.value from jsonb_each(filter -> 'tags') e
  loop
    if entry.key not in ('category', 'source', 'license', 'subsets', 'exclude', 'tags.any', 'tags.all') then
      raise exception 'filter has an unknown key: %', entry.key using errcode = '22023',
        hint = 'There are category, source, license, subsets, tags.any, tags.all, traits and exclude.';
    end if;
    items := case jsonb_typeof(entry.value) when 'array' then entry.value else jsonb_build_array(entry.value) end;
    if exists (select from jsonb_array_elements(items) item where jsonb_typeof(item) <> 'string') then
      raise exception 'filter.% must be a string or a list of strings', entry.key
        using errcode = '22023', hint = example;
    end if;
    strings := array(select jsonb_array_elements_text(items));
    conditions := conditions || case entry.key
      when 'tags.any' then format('f.tags && %L::text[]', strings)
      when 'tags.all' then format('f.tags @> %L::text[]', strings)
      when 'subsets' then format('f.tags @> %L::text[]', strings)  -- the importer puts them among the tags
      when 'exclude' then format('f.id::text <> all (%L::text[])', lower(strings::text)::text[])
      else format('f.%I = any (%L::text[])', entry.key, strings)
    end;
  end loop;

  for entry in select e.key, e.value from jsonb_each(filter -> 'traits') e loop
    if entry.key <> all (trait_names) then
      raise exception 'filter.traits has an unknown trait: %', entry.key
        using errcode = '22023', hint = 'There are ' || array_to_string(trait_names, ', ') || '.';
    end if;
    if jsonb_typeof(entry.value) <> 'object' then
      raise exception 'filter.traits.% must be an object such as {"gte": 0.7}', entry.key using errcode = '22023';
    end if;
    for comparison in select e.key, e.value from jsonb_each(entry.value) e loop
      if not operators ? comparison.key or jsonb_typeof(comparison.value) not in ('number', 'boolean') then
        raise exception 'filter.traits.% must compare with a number or true or false, not %',
            entry.key, jsonb_build_object(comparison.key, comparison.value)
          using errcode = '22023', hint = 'The comparisons are lt, lte, gt, gte and eq.';
      end if;
      -- every part of the path is one of ours or a number or boolean
      conditions := conditions || format('f.traits @@ %L',
        format('$.%s %s %s', entry.key, operators ->> comparison.key, comparison.value));
    end loop;
  end loop;
  return array_to_string(conditions, ' and ');
end
$$;

comment on function font_index.filter_condition is
  'A filter as a condition on a row f of public.fonts, values quoted; SQLSTATE 22023 for what it does not know.';
