"""`python -m carrel_client.singleuser`."""

from carrel_client.singleuser import main

if __name__ == "__main__":
    main()
