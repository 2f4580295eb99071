-- Each statement runs on its own; a blank line ends it.

drop index concurrently if exists public.fonts_embedding_joint_hnsw;

drop index concurrently if exists public.fonts_fts_gin;
