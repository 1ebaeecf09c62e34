-- The counts of subscribers. Each client that has subscribers has a hash with a count for each server, preceded by the
-- version of that count: an older version never replaces a later one. A server is included as long as its lease,
-- a key with its name, exists. A server whose counts Redis may have missed takes another name; the counts under the old
-- one are removed by the next script that finds them.

local function sum_of_counts(counts, lease_prefix)
    local found, sum = redis.call('HGETALL', counts), 0
    for i = 1, #found, 2 do
        if redis.call('EXISTS', lease_prefix .. found[i]) == 1 then
            sum = sum + tonumber(string.match(found[i + 1], '%d+$'))
        else
            redis.call('HDEL', counts, found[i])
        end
    end
    return sum
end

local function set_count(counts, counts_seconds, server, version, count)
    local known = redis.call('HGET', counts, server)
    if known and tonumber(string.match(known, '^%d+')) >= version then
        return
    end
    if count == 0 then
        redis.call('HDEL', counts, server)
    else
        redis.pcall('HSET', counts, server, version .. ' ' .. count)  -- full memory must not fail the script
        redis.call('EXPIRE', counts, counts_seconds)
    end
end
