// SPDX-License-Identifier: MIT
#include "provider.h"

void bufpool_provider_give(struct bufpool_provider *provider,
			   const __u64 *handles, unsigned int count)
{
	unsigned int done;
	int ret;

	for (done = 0; done < count; done += ret) {
		ret = provider->ops->return_many(provider, handles + done,
						 count - done, 0);
		/* Returned already, by another process: nothing is left to do. */
		if (ret < 0)
			ret = 1;
	}
}
