-- Whoever wanted a job and no longer does: who withdraws again is told the same, not refused.
alter table job_askers add column is_withdrawn bigint not null default 0;
