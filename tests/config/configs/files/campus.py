PEOPLE = {'ada', 'bob'}


def is_yes(text):
    return (text or '').lower() in ('1', 'yes', 'true')
