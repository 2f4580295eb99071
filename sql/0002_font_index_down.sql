drop table font_index.leases, font_index.failures, font_index.embeddings, font_index.files,
  font_index.runs, font_index.spaces;

alter table public.fonts drop column embedding_vl, drop column traits;
