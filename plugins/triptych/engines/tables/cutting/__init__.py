"""Tables cut into chunks of records: `rows.row_chunks`, for `rows` and for engines that cut as it does."""
