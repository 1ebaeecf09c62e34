-- KEYS: the numbers of the cues in order, the cues by number, and the state of the track.
-- ARGV: the number before the first one, how many to return, and how many bytes of them: at least one cue.
-- Returns the latest number, then numbers and cues in turn.
local found, size = {redis.call('HGET', KEYS[3], 'latest') or '0'}, 0
for _, number in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])) do
    local cue = redis.call('HGET', KEYS[2], number)
    size = size + #cue
    if #found > 1 and size > tonumber(ARGV[3]) then
        break
    end
    table.insert(found, number)
    table.insert(found, cue)
end
return found
