-- From fonts with their similarities to scores and ranks.

set local search_path = public, extensions;

create function font_index.words_share(weight float, similarity float, best float)
returns float
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select weight * similarity / coalesce(best, similarity + 0.1)
$$;
comment on function font_index.words_share is
  'What words are worth in a convex fusion, from 0 to their weight: their share of the best, where that is given, or else ts_rank r as r / (r + 0.1). So a word of the name (.6) is worth .86, one of the tags or the category (.24) .71, one of the description (.12) .55: as much as a cosine.';

create function font_index.shares(query font_index.search_query, fonts font_index.scored_font[], best_words float)
returns table (id uuid, place bigint, vectors float, words float)
language sql immutable rows 100
set search_path = pg_catalog, pg_temp
as $$
  -- a font that lacks a leg stands where an unrelated one would: at 0
  select f.id, f.place,
         coalesce((query).text_weight * (f.text_similarity - (query).text_zero) / (query).text_unit, 0)
           + coalesce((query).vl_weight * (f.vl_similarity - (query).vl_zero) / (query).vl_unit, 0),
         coalesce(font_index.words_share((query).words_weight, f.words_similarity, best_words), 0)
    from unnest(fonts) with ordinality f (id, text_similarity, vl_similarity, words_similarity, place)
$$;
comment on function font_index.shares is 'What the vectors and the words give each font in a convex fusion.';

create function font_index.score(query font_index.search_query, fonts font_index.scored_font[])
returns table (
  id uuid,
  score float,
  text_similarity float,
  text_rank bigint,
  vl_similarity float,
  vl_rank bigint,
  words_similarity float,
  words_rank bigint
)
language plpgsql stable rows 100
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  best_words constant float := case when query.normalization <> 'raw'
    then (select max(f.words_similarity) from unnest(fonts) f) end;
begin
  return query
    with ranked as (
      select f.*,
             case when f.text_similarity is not null
               then rank() over (order by f.text_similarity desc nulls last) end as text_rank,
             case when f.vl_similarity is not null
               then rank() over (order by f.vl_similarity desc nulls last) end as vl_rank,
             case when f.words_similarity is not null
               then rank() over (order by f.words_similarity desc nulls last) end as words_rank
        from unnest(fonts) with ordinality f (id, text_similarity, vl_similarity, words_similarity, place)
       where num_nonnulls(f.text_similarity, f.vl_similarity, f.words_similarity) > 0
    )
    select r.id,
           case when query.fusion = 'convex' then s.vectors + s.words
           else
             case when r.text_rank <= query.rank_limit then query.text_weight / (query.rrf_k + r.text_rank) else 0 end
               + case when r.vl_rank <= query.rank_limit then query.vl_weight / (query.rrf_k + r.vl_rank) else 0 end
               + case when r.words_rank <= query.rank_limit then query.words_weight / (query.rrf_k + r.words_rank) else 0 end
           end,
           r.text_similarity, r.text_rank, r.vl_similarity, r.vl_rank, r.words_similarity, r.words_rank
      from ranked r join font_index.shares(query, fonts, best_words) s using (place);
end
$$;
comment on function font_index.score is
  'The fused score of each font that has any leg of the query, and its place on each leg among these fonts; equal similarities share the best of their ranks.';
