drop trigger fonts_set_fts on public.fonts;
drop trigger fonts_set_embedding_joint on public.fonts;
drop function font_index.set_fts, font_index.set_embedding_joint;
alter table public.fonts drop column fts, drop column embedding_joint;
