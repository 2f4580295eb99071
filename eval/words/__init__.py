"""Words whose meaning is learned from what people tag fonts with."""
