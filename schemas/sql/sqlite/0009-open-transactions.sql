-- A statement ends with a semicolon at the end of a line; no other line ends with one.

-- Open transactions are few among those that are kept for a week.
create index transactions_open on transactions (created_at_ms, transaction_id)
  where state = 'open';
