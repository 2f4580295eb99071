drop table font_index.missing_fonts;
