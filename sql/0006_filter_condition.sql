-- What `filter` of match_fonts_hybrid may say.

create function font_index.traits()
returns table (name text, unit text, low float, high float, meaning text)
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  values
    ('x_height', 'cap heights', 0.3, 1.1, 'height of x'),
    ('ascender', 'cap heights', 0.7, 1.6, 'height of l'),
    ('descender', 'cap heights', 0, 0.8, 'depth of p below the baseline'),
    ('width', 'x-heights', 0.3, 3, 'mean advance of a to z'),
    ('o_proportion', 'ratio', 0.2, 2.5, 'width of o over its height'),
    ('contrast', 'share', 0, 1, 'how much thinner the thin strokes of o are than the thick ones; 0 is monoline'),
    ('stress', 'degrees', -45, 45, 'how far the axis of o leans to the left; 0 is vertical'),
    ('weight', 'cap heights', 0.01, 0.6, 'stem of H'),
    ('ink', 'share', 0, 1, 'ink in the x-height band of a to z'),
    ('slant', 'degrees', -30, 45, 'how far the letters lean to the right'),
    ('advance_spread', 'ratio', 0, 1, 'standard deviation of the advances over their mean; 0 is monospaced'),
    ('serifs', 'stems', 0, 3, 'how far the foot of a stem outreaches it on a side'),
    ('serif_weight', 'stems', 0, 2, 'thickness of that foot; 1 is slab'),
    ('terminal_roundness', 'share', 0, 1, 'ends of strokes: 0 square, 1 half circles'),
    ('squareness', 'share', 0.5, 1, 'filled area of o over its box: .785 ellipse, 1 rectangle'),
    ('aperture', 'x-heights', 0, 1, 'opening of c'),
    ('spacing', 'ratio', 0, 5, 'gap between the stems of neighbours over the counter of n'),
    ('a_storeys', 'count', 1, 2, 'storeys of a'),
    ('g_storeys', 'count', 1, 2, 'storeys of g'),
    ('joined', 'share', 0, 1, 'neighbouring lower-case letters that touch'),
    ('unicase', 'share', 0, 1, 'how alike lower case and capitals are in shape'),
    ('rectilinear', 'share', 0, 1, 'outline that runs along the axes'),
    ('angularity', 'share', 0, 1, 'outline of round letters in corners of diagonals'),
    ('stepped', 'share', 0, 1, 'outline in right-angled corners, as of pixels'),
    ('irregularity', 'x-heights', 0, 0.5, 'how far letters stray from baseline and x-height'),
    ('roughness', 'share', 0, 1, 'how much directions of nearby outline differ'),
    ('hollow', 'share', 0, 1, 'letters drawn as outlines'),
    ('distinct', 'share', 0, 1, 'how far apart 0 and O, and 1, l and I are in shape'),
    ('flourish', 'cap heights', 0, 3, 'how far capitals reach out of their own space'),
    ('is_text', 'true or false', 0, 1, 'false for barcodes, blocks and symbols, of which little else is measured'),
    ('oldstyle_figures', 'cap heights', 0, 0.6, 'spread of the heights of the digits')
$$;
comment on function font_index.traits is
  'The measurements in fonts.traits: name, unit, the range in which nearly all fonts lie, and what is measured.';

create function font_index.check_filter(filter jsonb)
returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  example constant text :=
    'For example {"category": "serif", "tags": {"all": ["latin"]}, "traits": {"x_height": {"gte": 0.7}}}.';
  problem constant text := case
    when jsonb_typeof(filter) <> 'object' then ' must be an object, not ' || jsonb_typeof(filter)
    when octet_length(filter::text) > 65536 then ' must be at most 64 KB long'
    when jsonb_path_exists(filter, 'strict $.**{5}') then ' must be at most 4 levels deep'
    when jsonb_path_exists(filter - 'exclude', 'strict $.** ? (@.type() == "array" && @.size() > 200)')
      then ' must have at most 200 entries in a list'
    -- and the one that similar_fonts adds
    when jsonb_path_exists(filter, '$.exclude.size() ? (@ > 1001)') then '.exclude must have at most 1000 entries'
    when jsonb_typeof(filter -> 'tags') <> 'object' then '.tags must be an object'
    when jsonb_typeof(filter -> 'traits') <> 'object' then '.traits must be an object'
    when jsonb_typeof(filter -> 'styles') <> 'object' then '.styles must be an object'
    when jsonb_typeof(filter -> 'collapse') <> 'boolean' then '.collapse must be true or false'
    when jsonb_typeof(filter -> 'covers') <> 'string' then '.covers must be a string'
    when length(filter ->> 'covers') > 200 then '.covers must be at most 200 characters long'
  end;
  unknown text;
begin
  if problem is not null then
    raise exception 'filter%', problem using errcode = '22023', hint = example;
  end if;
  for unknown in
    select key from jsonb_object_keys(filter) key
     where key not in ('category', 'source', 'license', 'subsets', 'tags', 'traits', 'covers', 'styles', 'collapse',
                       'exclude')
    union all
    select 'tags.' || key from jsonb_object_keys(filter -> 'tags') key where key not in ('any', 'all')
    union all
    select 'styles.' || key from jsonb_object_keys(filter -> 'styles') key
     where key not in ('weights', 'italic', 'axes')
  loop
    raise exception 'filter has an unknown key: %', left(unknown, 100) using errcode = '22023',
      hint = 'There are category, source, license, subsets, tags.any, tags.all, traits, covers, styles.weights, '
        'styles.italic, styles.axes, collapse and exclude.';
  end loop;
end
$$;
comment on function font_index.check_filter is
  'Raises SQLSTATE 22023, with a hint, for a filter that is too large, too deep, or has a key that there is not.';

create function font_index.filter_strings(filter jsonb, path text[])
returns text[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  given constant jsonb := filter #> path;
  items constant jsonb := case jsonb_typeof(given) when 'array' then given else jsonb_build_array(given) end;
begin
  if jsonb_path_exists(items, 'strict $[*] ? (@.type() != "string")') then
    raise exception 'filter.% must be a string or a list of strings', array_to_string(path, '.')
      using errcode = '22023', hint = 'For example {"category": ["serif", "display"]}.';
  end if;
  return array(select distinct jsonb_array_elements_text(items));  -- an array of the table is compared with each
end
$$;
comment on function font_index.filter_strings is 'The strings at a path of a filter: one, or a list of them; each once.';

create function font_index.trait_condition(traits jsonb)
returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  operators constant jsonb := '{"lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "eq": "=="}';
  entry record;
  terms text[] := '{}';
begin
  for entry in
    select t.key as trait, t.value as wanted, c.key as comparison, c.value
      from jsonb_each(traits) t
      left join lateral jsonb_each(case jsonb_typeof(t.value) when 'object' then t.value end) c on true
  loop
    if entry.trait not in (select t.name from font_index.traits() t) then
      raise exception 'filter.traits has an unknown trait: %', left(entry.trait, 100) using errcode = '22023',
        hint = (select 'There are ' || string_agg(t.name, ', ') || '.' from font_index.traits() t);
    end if;
    if jsonb_typeof(entry.wanted) <> 'object' then
      raise exception 'filter.traits.% must be an object such as {"gte": 0.7}', entry.trait using errcode = '22023';
    end if;
    continue when entry.comparison is null;
    if not operators ? entry.comparison or jsonb_typeof(entry.value) not in ('number', 'boolean') then
      raise exception 'filter.traits.% must compare with a number or true or false, not %',
          entry.trait, left(jsonb_build_object(entry.comparison, entry.value)::text, 100)
        using errcode = '22023', hint = 'The comparisons are lt, lte, gt, gte and eq.';
    end if;
    -- every part of the path is one of ours or a number or boolean
    terms := terms || format('$.%s %s %s', entry.trait, operators ->> entry.comparison, entry.value);
  end loop;
  if cardinality(terms) > 16 then
    raise exception 'filter.traits must have at most 16 comparisons, not %', cardinality(terms) using errcode = '22023';
  end if;
  return case when terms <> '{}' then format('f.traits @@ %L', array_to_string(terms, ' && ')) else 'true' end;
end
$$;
comment on function font_index.trait_condition is
  'filter.traits as a condition on a row f of public.fonts. A font that lacks a measurement does not pass.';

create function font_index.style_condition(styles jsonb)
returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  given constant jsonb := styles -> 'weights';
  weights constant jsonb := case jsonb_typeof(given) when 'array' then given else jsonb_build_array(given) end;
  axes constant text[] := case when styles ? 'axes' then
    font_index.filter_strings(jsonb_build_object('styles', styles), '{styles,axes}') else '{}' end;
  -- of every family that passes; containment takes a tenth of the time of a path
  wanted jsonb := styles - 'weights' - 'axes';
  conditions text[] := '{}';
begin
  if styles ? 'weights'
    and jsonb_path_exists(weights, 'strict $[*] ? (@.type() != "number" || @ < 1 || @ > 1000)') then
    raise exception 'filter.styles.weights must be numbers between 1 and 1000'
      using errcode = '22023', hint = 'For example {"styles": {"weights": [400, 700]}}.';
  end if;
  if jsonb_typeof(styles -> 'italic') <> 'boolean' then
    raise exception 'filter.styles.italic must be true or false' using errcode = '22023';
  end if;
  if exists (select from unnest(axes) axis where axis !~ '^[A-Za-z0-9]{4}$') then
    raise exception 'filter.styles.axes must be tags of four letters or digits'
      using errcode = '22023', hint = 'For example {"styles": {"axes": ["wdth"]}}.';
  end if;
  if axes <> '{}' then
    wanted := wanted || jsonb_build_object('axes', axes);
  end if;
  if wanted <> '{}' then
    conditions := conditions || format('f.styles @> %L', wanted);
  end if;
  if styles ? 'weights' and weights <> '[]' then
    -- weights of static files, or ones that a variable font reaches; every part of the path is a number
    conditions := conditions || (
      select format('(f.styles @> %L or f.styles @@ %L)', jsonb_build_object('weights', jsonb_agg(distinct w)),
               format('$.axes[*] == "wght" && $.weight[0] <= %s && $.weight[1] >= %s', min(w::numeric), max(w::numeric)))
        from jsonb_array_elements(weights) w);
  end if;
  return case when conditions <> '{}' then array_to_string(conditions, ' and ') else 'true' end;
end
$$;
comment on function font_index.style_condition is
  'filter.styles as a condition on a row f of public.fonts. A family whose styles are not known does not pass.';

create function font_index.code_points(characters text)
returns int4multirange
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(range_agg(int4range(ascii(c), ascii(c), '[]')), '{}')
    from regexp_split_to_table(characters, '') c where c !~ '\s' and c <> ''
$$;
comment on function font_index.code_points is 'The Unicode code points of a text, white space omitted.';

create or replace function font_index.filter_condition(filter jsonb)
returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  conditions text[] := array['true'];
  key text;
begin
  if filter is null then
    return 'true';
  end if;
  perform font_index.check_filter(filter);
  foreach key in array array['category', 'source', 'license'] loop
    if filter ? key then
      conditions := conditions || format('f.%I = any (%L::text[])', key, font_index.filter_strings(filter, array[key]));
    end if;
  end loop;
  if filter ? 'subsets' then  -- the importer puts them among the tags
    conditions := conditions || format('f.tags @> %L::text[]', font_index.filter_strings(filter, '{subsets}'));
  end if;
  if filter -> 'tags' ? 'all' then
    conditions := conditions || format('f.tags @> %L::text[]', font_index.filter_strings(filter, '{tags,all}'));
  end if;
  if filter -> 'tags' ? 'any' then
    conditions := conditions || format('f.tags && %L::text[]', font_index.filter_strings(filter, '{tags,any}'));
  end if;
  if filter ? 'exclude' then
    -- what is no id excludes nothing
    conditions := conditions || format('f.id <> all (%L::uuid[])', array(
      select id::uuid from unnest(font_index.filter_strings(filter, '{exclude}')) id
       where id ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'));
  end if;
  if filter ? 'covers' then
    conditions := conditions || format('f.coverage @> %L::int4multirange', font_index.code_points(filter ->> 'covers'));
  end if;
  if filter ? 'traits' then
    conditions := conditions || font_index.trait_condition(filter -> 'traits');
  end if;
  if filter ? 'styles' then
    conditions := conditions || font_index.style_condition(filter -> 'styles');
  end if;
  return array_to_string(conditions, ' and ');
end
$$;
comment on function font_index.filter_condition is
  'A filter as a condition on a row f of public.fonts, values quoted; SQLSTATE 22023 for what it does not know.';
