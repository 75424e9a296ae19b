-- Programs with tiers of which something is still to be done beside following the ledger. Owner: core/tiers. Every look asks for
-- these; all others are found by their id.
create index tier_programs_unfinished on tier_programs (program_id) where not is_walked or applied_version < version;
