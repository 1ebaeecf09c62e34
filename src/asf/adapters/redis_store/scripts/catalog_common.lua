-- Common start of catalog_put.lua and catalog_delete.lua.
-- KEYS: the entries by stream id, the ids in order, and the number of streams in each state.
-- ARGV: the stream id, the entry expected there (empty: none), and the channel of the stream.
-- An entry is the state, a space, and the rest as JSON. The ids are a sorted set in which all scores are equal: so
-- their order is that of the bytes of UTF-8, which is that of code points.
-- A change is stored and published in one step, so that no server learns of a change that is not stored.
local id, expected, channel = ARGV[1], ARGV[2], ARGV[3]
local stored = redis.call('HGET', KEYS[1], id)
if (stored or '') ~= expected then
    return 'changed'
end

local function count(entry, change)
    redis.call('HINCRBY', KEYS[3], string.match(entry, '^%S*'), change)
end
