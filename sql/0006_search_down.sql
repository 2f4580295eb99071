-- Before the functions of 0005 come again: these have defaults, and pieces, that those lack.
drop function public.similar_fonts, public.match_fonts_hybrid;

drop function
  font_index.serving_weights,
  font_index.filter_condition, font_index.check_filter, font_index.filter_strings, font_index.trait_condition,
  font_index.style_condition, font_index.code_points, font_index.traits,
  font_index.any_word, font_index.check_search, font_index.weigh, font_index.leg_scale, font_index.joint_direction,
  font_index.score, font_index.shares, font_index.words_share,
  font_index.propose, font_index.propose_nearest, font_index.scored_statement, font_index.is_settled,
  font_index.propose_by_words, font_index.propose_all, font_index.propose_legs, font_index.fill_up, font_index.joined,
  font_index.has_joint_index;

drop type font_index.proposal, font_index.scored_font, font_index.search_query;
