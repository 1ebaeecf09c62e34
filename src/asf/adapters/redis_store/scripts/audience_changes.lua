-- Find out which streams have got their first listener, and which have lost their last one: as `AudienceChanges` does
-- for one server, but from the counts of all.
--
-- KEYS[1] is a sorted set of the streams whose first listener was reported, by when to look at them again: servers may
-- stop without a word. KEYS[2] is a hash: when those without listeners have lost their last one for good. Times are
-- those of Redis, in seconds, unless `now` is given. Besides the `streams`, at most `limit` that are due are looked at.
--
-- Returns the events, each with its stream, and whether more streams are due.

local args = cjson.decode(ARGV[1])
local due, deadlines = KEYS[1], KEYS[2]
local now = args.now
if not now then
    local time = redis.call('TIME')
    now = time[1] + time[2] / 1000000
end

local events = {}

local function look_at(stream)
    local listeners = counts_of(args.counts_prefix .. stream, args.lease_prefix)
    local was_listened = redis.call('ZSCORE', due, stream)
    if listeners > 0 then
        if not was_listened then
            table.insert(events, 'first_listener')
            table.insert(events, stream)
        end
        redis.call('HDEL', deadlines, stream)
        redis.call('ZADD', due, now + args.look_seconds, stream)
        return
    end
    if not was_listened then
        return
    end
    local deadline = redis.call('HGET', deadlines, stream)
    if not deadline then
        local at = string.format('%.6f', now + args.grace_seconds)
        redis.call('HSET', deadlines, stream, at)
        redis.call('ZADD', due, at, stream)
    elseif tonumber(deadline) <= now then
        redis.call('HDEL', deadlines, stream)
        redis.call('ZREM', due, stream)
        table.insert(events, 'last_listener_left')
        table.insert(events, stream)
    end
end

for _, stream in ipairs(args.streams) do
    look_at(stream)
end
local found = redis.call('ZRANGEBYSCORE', due, '-inf', string.format('%.6f', now), 'LIMIT', 0, args.limit)
for _, stream in ipairs(found) do
    look_at(stream)
end
redis.call('EXPIRE', due, args.keep_seconds)
redis.call('EXPIRE', deadlines, args.keep_seconds)
return {events, #found == args.limit and 1 or 0}
