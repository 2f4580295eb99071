"""Which of a family's files stands for it: the one that is measured, embedded, and drawn for visitors."""

# The upright one whose weight is nearest to 400: a row `file` with its url, of a row f of public.fonts.
# For a statement with parameters; percent signs are doubled. Four digits are enough for a weight, and no number
# of them is too large for a type; an address that long is never fetched. No braces: the statement may be formatted.
REGULAR_FILE = """
      select left(entry.value, 3000) as url
      from jsonb_each_text(case jsonb_typeof(f.files) when 'object' then f.files end) entry
      where entry.value is not null
      order by entry.key ilike '%%italic%%',
               abs(coalesce(substring(entry.key from '[0-9][0-9]?[0-9]?[0-9]?')::int, 400) - 400), entry.key
      limit 1"""
