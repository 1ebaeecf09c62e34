-- Renew the lease of a server, and store its counts of some subjects: each with `subject`, `version`, `count` and
-- `details`. Counts under `earlier_server`, its name until now, are no longer included.
--
-- Returns whether the lease was still there, and the id of this Redis process.

local args = cjson.decode(ARGV[1])

if args.earlier_server then
    redis.call('UNLINK', args.lease_prefix .. args.earlier_server)
end
local was_there = redis.call('EXISTS', args.lease_prefix .. args.server)
redis.call('SET', args.lease_prefix .. args.server, '', 'PX', args.lease_milliseconds)
for _, one in ipairs(args.counts) do
    local counts = args.counts_prefix .. one.subject
    counts_of(counts, args.lease_prefix)  -- removes the counts of stopped servers
    set_count(counts, args.counts_seconds, args.server, one.version, one.count, one.details)
end
return {was_there, string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''}
