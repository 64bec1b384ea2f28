-- Refusals are few among all that was allowed: they are found without looking through that.
create index audit_rows_by_decision on audit_rows (decision, time_ms, position);
