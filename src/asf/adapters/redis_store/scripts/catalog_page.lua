-- KEYS: the entries by stream id, and the ids in order. ARGV: the lower bound of the ids, and how many to return.
-- Returns ids and entries in turn.
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], '+', 'LIMIT', 0, ARGV[2])) do
    table.insert(found, id)
    table.insert(found, redis.call('HGET', KEYS[1], id) or '')
end
return found
