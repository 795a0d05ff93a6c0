"""The networks that predict light maps, and the files that their weights come from."""
