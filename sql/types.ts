// The two functions of fontsight as they are over PostgREST, for typed clients such as supabase-js.
//
// `supabase gen types typescript` maps `vector` to string and `halfvec` to unknown, gives no argument the type null
// and no column of an answer either. Copy this file to your app, beside the generated one, and merge them:
//
//   import type { Database as Generated } from "./database.types";
//   import type { WithFontSearch } from "./fontsight";
//   export type Database = WithFontSearch<Generated>;
//
// (MergeDeep of type-fest would mix our `filter` with their Json.) supabase-js finds a misspelt key only where no other
// is given; `{…} satisfies FontFilter` always does.

/** 4096 numbers, or the string "[…]" that Postgres writes: half the bytes. */
export type FontVector = readonly number[] | string;

/** What is measured on a font's outlines; sql/README.md has units and ranges. */
export type Trait =
  | "x_height"
  | "ascender"
  | "descender"
  | "width"
  | "o_proportion"
  | "contrast"
  | "stress"
  | "weight"
  | "ink"
  | "slant"
  | "advance_spread"
  | "serifs"
  | "serif_weight"
  | "terminal_roundness"
  | "squareness"
  | "aperture"
  | "spacing"
  | "a_storeys"
  | "g_storeys"
  | "joined"
  | "unicase"
  | "rectilinear"
  | "angularity"
  | "stepped"
  | "irregularity"
  | "roughness"
  | "hollow"
  | "distinct"
  | "flourish"
  | "is_text"
  | "oldstyle_figures";

export type Comparison = {
  lt?: number;
  lte?: number;
  gt?: number;
  gte?: number;
  /** true and false are for is_text */
  eq?: number | boolean;
};

type OneOrMore<T> = T | readonly T[];

/** Every key narrows the search; what is not known of a font does not pass. */
export type FontFilter = {
  /** any of these; so are source and license */
  category?: OneOrMore<string>;
  source?: OneOrMore<string>;
  license?: OneOrMore<string>;
  /** all of these */
  subsets?: OneOrMore<string>;
  tags?: { any?: OneOrMore<string>; all?: OneOrMore<string> };
  traits?: { [trait in Trait]?: Comparison };
  /** families with every character of this string */
  covers?: string;
  /** families with all of these: weights 1 to 1000, tags of axes such as "wdth" */
  styles?: { weights?: OneOrMore<number>; italic?: boolean; axes?: OneOrMore<string> };
  /** near-duplicates once, the best of them */
  collapse?: boolean;
  /** ids */
  exclude?: OneOrMore<string>;
};

/** A row of the answer. A leg is null where the query or the font has none. */
export type FoundFont = {
  id: string;
  name: string;
  category: string | null;
  description: string | null;
  tags: string[] | null;
  source: string | null;
  /** addresses of font files by weight */
  files: Record<string, string> | null;
  score: number;
  text_similarity: number | null;
  text_rank: number | null;
  vl_similarity: number | null;
  vl_rank: number | null;
  full_text_similarity: number | null;
  full_text_rank: number | null;
  exactness: "scanned" | "likely" | "unproven";
};

// Null is allowed where it means the same as an omitted argument; elsewhere the function refuses it.

export type MatchFontsHybridArgs = {
  query_embedding?: FontVector | null;
  query_embedding_vl?: FontVector | null;
  query_text?: string | null;
  match_threshold?: number | null;
  match_count?: number;
  match_offset?: number;
  filter?: FontFilter | null;
  alpha?: number | null;
  fusion?: "convex" | "rrf" | null;
  full_text_weight?: number | null;
  candidates?: number | null;
  normalization?: "raw" | "min_max" | "z_score";
  rrf_k?: number;
  strategy?: "auto" | "exact" | "index";
};

export type SimilarFontsArgs = {
  font_id: string;
  match_count?: number;
  alpha?: number | null;
  match_threshold?: number | null;
  filter?: FontFilter | null;
  match_offset?: number;
};

export type FontSearchFunctions = {
  match_fonts_hybrid: { Args: MatchFontsHybridArgs; Returns: FoundFont[] };
  similar_fonts: { Args: SimilarFontsArgs; Returns: FoundFont[] };
};

/** The generated types, with these two functions in place of their own. */
export type WithFontSearch<Generated extends { public: { Functions: object } }> = Omit<Generated, "public"> & {
  public: Omit<Generated["public"], "Functions"> & {
    Functions: Omit<Generated["public"]["Functions"], keyof FontSearchFunctions> & FontSearchFunctions;
  };
};
