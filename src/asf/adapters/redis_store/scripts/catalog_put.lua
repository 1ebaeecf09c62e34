-- Continues catalog_common.lua. ARGV: also the new entry, and the limit of streams.
local entry, max_streams = ARGV[4], tonumber(ARGV[5])
if stored then
    count(stored, -1)
elseif redis.call('HLEN', KEYS[1]) >= max_streams then
    return 'full'
end
redis.call('HSET', KEYS[1], id, entry)
redis.call('ZADD', KEYS[2], 0, id)
count(entry, 1)
redis.call('PUBLISH', channel, entry)
return 'done'
