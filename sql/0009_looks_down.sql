drop table font_index.looks;
