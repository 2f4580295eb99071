drop table font_index.facts;

alter table public.fonts drop column coverage, drop column styles, drop column design;
