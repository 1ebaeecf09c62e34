-- Counts of many servers. Each subject that is counted has a hash with a count for each server: the version of that
-- count, the count, and after another space its details, if there are any. An older version never replaces a later
-- one. A server is included as long as its lease, a key with its name, exists. A server whose counts Redis may have
-- missed takes another name; the counts under the old one are removed by the next script that finds them.

local function counts_of(counts, lease_prefix)
    local found, sum, all = redis.call('HGETALL', counts), 0, {}
    for i = 1, #found, 2 do
        if redis.call('EXISTS', lease_prefix .. found[i]) == 1 then
            local count, details = string.match(found[i + 1], '^%d+ (%d+) ?(.*)$')
            sum = sum + tonumber(count)
            table.insert(all, {found[i], count, details})
        else
            redis.call('HDEL', counts, found[i])
        end
    end
    return sum, all
end

local function set_count(counts, counts_seconds, server, version, count, details)
    local known = redis.call('HGET', counts, server)
    if known and tonumber(string.match(known, '^%d+')) >= version then
        return
    end
    if count == 0 then
        redis.call('HDEL', counts, server)
    else
        local value = version .. ' ' .. count
        if details and details ~= '' then
            value = value .. ' ' .. details
        end
        redis.pcall('HSET', counts, server, value)  -- full memory must not fail the script
        redis.call('EXPIRE', counts, counts_seconds)
    end
end
