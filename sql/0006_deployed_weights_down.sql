drop table font_index.deployed_weights;
