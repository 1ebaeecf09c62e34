-- Store all cues, or none of them, and publish that there are new ones.
-- KEYS: the numbers of the cues in order, the cues by number, the numbers by id, the state of the track (`latest`,
-- `bytes`), and the epochs of the stream that have tracks.
-- ARGV: the channel, the message, the epoch, the limits of cues and of bytes; then an id, which is empty if there is
-- none, and a cue, for each.
-- A cue that replaces another one gets a new number. An equal one changes nothing.
-- Returns how many cues there are, or -1 if there would be too many.
local order, cues, ids, track, epochs = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local max_cues, max_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])

-- What changes is found out first, and written only if it is within the limits.
local total, bytes = redis.call('ZCARD', order), tonumber(redis.call('HGET', track, 'bytes') or 0)
local added, replaced = {}, {}
for i = 6, #ARGV, 2 do
    local id, cue = ARGV[i], ARGV[i + 1]
    local earlier = id ~= '' and redis.call('HGET', ids, id)
    local stored = earlier and redis.call('HGET', cues, earlier)
    if stored ~= cue then
        table.insert(added, i)
        total, bytes = total + 1, bytes + #cue
        if stored then
            table.insert(replaced, earlier)
            total, bytes = total - 1, bytes - #stored
        end
    end
end
if total > max_cues or bytes > max_bytes then
    return -1
end

for _, number in ipairs(replaced) do
    redis.call('ZREM', order, number)
    redis.call('HDEL', cues, number)
end
local latest = tonumber(redis.call('HGET', track, 'latest') or 0)
for _, i in ipairs(added) do
    latest = latest + 1
    redis.call('ZADD', order, latest, latest)
    redis.call('HSET', cues, latest, ARGV[i + 1])
    if ARGV[i] ~= '' then
        redis.call('HSET', ids, ARGV[i], latest)
    end
end
redis.call('HSET', track, 'latest', latest, 'bytes', bytes)
redis.call('SADD', epochs, ARGV[3])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return total
