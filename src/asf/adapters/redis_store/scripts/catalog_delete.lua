-- Continues catalog_common.lua.
redis.call('HDEL', KEYS[1], id)
redis.call('ZREM', KEYS[2], id)
count(stored, -1)
redis.call('PUBLISH', channel, '')
return 'done'
